"""No secret that is configured is found where it is not needed: not here, not in Kubernetes, not in the bucket."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from sciflow import Run
from sciflow.cli.main import exit_code
from sciflow.executors.argo.manifest.naming import dns_name
from sciflow.executors.argo.manifest.workflow import RUN_LABEL
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.storage.settings import S3Settings
from tests.contract import secret_flow
from tests.contract.argo_place import settle_at_argo
from tests.contract.secret_flow import PLAIN, careful, digest
from tests.services.kubernetes.service import Kubernetes

FLOW = f"{secret_flow.__file__}:careful"
KINDS = (
    "workflows",
    "workflowtemplates",
    "workflowtaskresults",
    "pods",
    "events",
    "configmaps",
)  # of objects that a run leaves there


@pytest.fixture
def hidden(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """Every secret that is configured, by what it is."""
    name = f"keys-{secrets.token_hex(4)}"
    of_ops = {"of-env": f"env-{secrets.token_hex(12)}", "of-file": f"file-{secrets.token_hex(12)}"}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": of_ops}
    inside = ("-n", kubernetes.namespace)
    kubernetes.run("kubectl", "create", *inside, "-f", "-", stdin=json.dumps(made))
    known = {"SECRET_OF_ENV": f"{name}/of-env", "/nowhere/secret.txt": f"{name}/of-file"}
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix=name, lost_retries=0, secrets=known)
    monkeypatch.delenv("TOKEN_OF_ARGO")  # from a file, this time
    (tmp_path / "token.txt").write_text(f"{kubernetes.token}\n")
    table = json.loads(os.environ["SCIFLOW_EXECUTORS"])
    table["argo"]["token"] = {"file": str(tmp_path / "token.txt")}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(table))
    monkeypatch.chdir(tmp_path)
    s3 = kubernetes.s3
    yield {**of_ops, "token": kubernetes.token, "access key": s3.access_key, "secret key": s3.secret_key}
    kubernetes.run("kubectl", "delete", *inside, "secret", name)


@pytest.mark.kubernetes
@pytest.mark.timeout(600)
def test_no_secret_is_found_anywhere(
    hidden: Mapping[str, str], kubernetes: Kubernetes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = [digest(hidden["of-env"]), digest(hidden["of-file"])]
    run = careful.submit(mine, [digest(value) for value in (*hidden.values(), PLAIN)], on="argo")
    assert str(run.wait(500)) == "Failed"
    assert sorted(task.path for task in run.failed_tasks()) == ["fail", "fail_in_program"], run.report()
    assert run.output("use") is True
    assert run.output("use_in_program").split()[0] == mine[1]
    found = run.output("look")
    assert found.pop(digest(PLAIN)), "it would have found none"
    assert found == {}

    name, bucket = bucket_prefix(), bucket_of(kubernetes)
    deployed = ["deploy", FLOW, "--mine", "[]", "--others", "[]", "--on", "argo", "--name", name]
    assert exit_code(deployed) == 0
    told = {
        **dict(of_kubernetes(kubernetes, run)),
        **dict(of_bucket(bucket)),
        **{str(path): path.read_bytes() for path in run.folder.rglob("*") if path.is_file()},
        **dict(of_commands(run, capsys)),
    }
    assert {place for place, content in told.items() if PLAIN.encode() in content} >= {
        "log of main", f"{bucket_prefix()}/runs/{run.id}/facts.json", str(run.folder / "run.db"),
        "sciflow logs fail", "sciflow show",
    }  # fmt: skip
    assert all(run.id.encode() in told[kind] for kind in ("workflows", "pods", "events"))
    assert name.encode() in told["workflowtemplates"]
    assert exit_code(["deployed", name, "--delete", "--on", "argo"]) == 0
    shown = {name: forms(value) for name, value in hidden.items()}
    assert [
        (place, name)
        for place, content in told.items()
        for name, values in shown.items()
        if any(value in content for value in values)
    ] == []
    for key in bucket.list(f"{bucket_prefix()}/"):
        bucket.delete(key)


def forms(value: str) -> list[bytes]:
    """A secret as it may stand somewhere."""
    plain = value.encode()
    return [plain, base64.b64encode(plain).rstrip(b"=")[:-1], quote(value, safe="").encode(), plain.hex().encode()]


def of_kubernetes(cluster: Kubernetes, run: Run[object]) -> Iterator[tuple[str, bytes]]:
    inside = ("-n", cluster.namespace)
    label = f"{RUN_LABEL}={dns_name(run.id)}"
    for kind in KINDS:
        yield kind, cluster.run("kubectl", "get", kind, *inside, "-o", "yaml", timeout_s=300).encode()
    pods = cluster.run("kubectl", "get", "pods", *inside, "-l", label, "-o", "json")
    logs: dict[str, str] = {}
    for pod in json.loads(pods)["items"]:
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            name = container["name"]
            ask = ("kubectl", "logs", *inside, pod["metadata"]["name"], "-c", name)
            logs[name] = logs.get(name, "") + cluster.run(*ask)
    assert {"init", "bind", "main", "wait", "runner"} <= set(logs)
    yield from ((f"log of {name}", text.encode()) for name, text in logs.items())


def bucket_prefix() -> str:
    return str(json.loads(os.environ["SCIFLOW_STORAGES"])["bucket"]["prefix"])


def bucket_of(cluster: Kubernetes) -> Bucket:
    return Bucket("of the test", S3Settings(endpoint=cluster.s3.url, bucket=cluster.s3.bucket))


def of_bucket(bucket: Bucket) -> Iterator[tuple[str, bytes]]:
    """Every object of the run, and what is in those that are archives."""
    for key in bucket.list(f"{bucket_prefix()}/"):
        content = bucket.get(key) or b""
        yield key, content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield f"in {key}", b"\n".join(archive.read(name) for name in archive.namelist())
        elif content[257:262] == b"ustar" or content[:2] == b"\x1f\x8b":
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                files = [archive.extractfile(member) for member in archive if member.isfile()]
                yield f"in {key}", b"\n".join(file.read() for file in files if file is not None)


def of_commands(run: Run[object], capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, bytes]]:
    """What the command line shows."""
    asked = [["show", run.id], ["show", run.id, "--json"], ["logs", run.id, "--events"], ["table", run.id], ["list"]]
    asked += [["logs", run.id, task] for task in ("fail", "use", "fail_in_program")] + [["explain", run.id, "fail"]]
    asked += [["graph", FLOW, "--format", "argo"], ["doctor", "argo", "--no-job"], ["config"]]
    for argv in asked:
        capsys.readouterr()
        exit_code(argv)
        said = capsys.readouterr()
        name = " ".join(["sciflow", argv[0], *(word for word in argv[2:] if argv[0] in ("logs", "explain"))])
        yield name, (said.out + said.err).encode()


# --- in settings


@pytest.mark.parametrize("key", ["server", "endpoint_inside", "token"])
def test_a_password_in_the_settings_is_refused_and_not_shown(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "tok-5ecret-word" if key == "token" else "https://somebody:5ecret-word@argo.example.org"
    bucket = {"type": "s3", "endpoint": "https://minio.example.org", "bucket": "artifacts"}
    table = {"type": "argo", "server": "https://argo.example.org", "namespace": "argo", "storage": "bucket", key: value}
    monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": bucket}))
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    for argv in (["graph", FLOW, "--format", "argo"], ["doctor", "argo"], ["run", FLOW, "--mine", "[]", "--others", "[]", "--on", "argo"]):  # fmt: skip # noqa: E501
        assert exit_code(argv) != 0
        said = capsys.readouterr()
        assert key in said.out + said.err
        assert "5ecret" not in said.out + said.err
    assert all(b"5ecret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
