"""What is deployed on Argo: others start runs of it with parameters, times do, and no engine looks after them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sciflow
from sciflow import RunNotFound
from sciflow.cli.main import exit_code
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.storage.settings import S3Settings
from tests.contract.argo_deployed import nightly, study
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes

HOSTILE = '{{workflow.name}} {{=1+1}} {{nope}} {{ {{= }} "it\'s" \\ $(HOME) `id`\n\tü\u2028</>&'

STUDY, NIGHTLY = (f"{name}-{secrets.token_hex(3)}" for name in ("study", "nightly"))


@pytest.fixture
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`argo("submit", ...)` in the namespace; what was deployed is removed afterwards, and its workflows."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="deployed")

    def call(*argv: str, check: bool = True) -> str:
        return kubernetes.run("argo", *argv, "-n", kubernetes.namespace, check=check, timeout_s=600.0)

    yield call
    for name in (STUDY, NIGHTLY):
        exit_code(["deployed", name, "--delete", "--on", "argo"])
        call("delete", "-l", f"sciflow/deployed={name}")


@pytest.mark.kubernetes
@pytest.mark.timeout(900)
def test_others_start_runs_of_what_is_deployed_and_each_ends_as_it_has_to(
    kubernetes: Kubernetes, argo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a bb bad")
    named = study.options(name=STUDY)
    every_minute = nightly.options(name=NIGHTLY)
    first = named.deploy(words, [1.0], on="argo")
    again = named.deploy(words, [1.0], on="argo")
    assert (first.changed, again.changed, again.version) == (True, False, first.version)
    words.write_text("other words than before")
    second = named.deploy(words, [1.0], on="argo")
    assert second.version != first.version
    assert every_minute.deploy(on="argo", cron="* * * * *", timezone="Europe/Berlin").changed
    capsys.readouterr()
    assert exit_code(["deployed", "--on", "argo", "--json"]) == 0
    there = {(one["kind"], one["name"], one["version"]) for one in json.loads(capsys.readouterr().out)}
    template = "WorkflowTemplate"
    assert {(template, STUDY, second.version), (template, first.key, first.version)} <= there
    assert [one[0] for one in there if one[1] == NIGHTLY] != [template]

    bucket(kubernetes).put("somebody/words.txt", b"bad bad a")
    (tmp_path / "given.yaml").write_text(json.dumps({"note": HOSTILE, "scales": "[2.0]", "method": "LJ", "n": "2"}))
    given = str(tmp_path / "given.yaml")
    names = {
        "right": start(argo, first.key, "-f", given, "-p", "metal=Ni"),
        "wrong": start(argo, STUDY, "-p", "metal=Xe", "-p", "scales=x", "-p", "noote=", "-p", "structure=nowhere"),
        "failing": start(argo, STUDY, "-p", "structure=somebody/words.txt", "-p", "n=2"),
    }
    by_time = until(lambda: begun(argo))[0]  # at the next minute
    assert by_time["metadata"]["labels"]["sciflow/version"] == every_minute.deploy(on="argo").version
    assert exit_code(["deployed", NIGHTLY, "--delete", "--on", "argo"]) == 0
    assert f"removed CronWorkflow {NIGHTLY}\n" in capsys.readouterr().err
    for name in (names["right"], names["failing"]):
        until(lambda name=name: "Suspend" in running(argo, name))
    argo("resume", names["failing"])
    adopted: Any = sciflow.adopt(names["right"], on="argo")
    assert adopted.wait(120) == "Suspended"
    adopted.resume()
    argo("wait", *names.values(), check=False)  # two fail
    ended = {what: json.loads(argo("get", name, "-o", "json")) for what, name in names.items()}
    assert {what: found["status"]["phase"] for what, found in ended.items()} == {
        "right": "Succeeded",
        "wrong": "Failed",
        "failing": "Failed",
    }

    result = json.loads(fetched(kubernetes, ended["right"], "result.json"))
    assert (result["total"], result["note"]) == (6.0, "Ni LJ 0")
    assert (bucket(kubernetes).get(result["file"]) or b"").decode() == HOSTILE
    facts = json.loads(fetched(kubernetes, ended["right"], "facts.json"))
    assert facts["inputs"]["note"] == HOSTILE

    assert adopted.wait(120) == "Succeeded", adopted.report()
    assert adopted.result.total == 6.0
    assert adopted.result.file.read_text() == HOSTILE
    assert sciflow.adopt(names["failing"], on="argo").wait(120) == "Failed"
    with pytest.raises(RunNotFound, match="has not begun") as refused:
        sciflow.adopt(names["wrong"], on="argo")
    assert "metal: expected one of Cu, Ni, found 'Xe'" in str(refused.value)

    said = message(ended["wrong"], "begin")
    assert "metal: expected one of Cu, Ni, found 'Xe'" in said
    assert "scales: expected list[float], as JSON; found 'x'" in said
    assert "noote: there is no such input; did you mean note?" in said
    assert "structure: expected the key of a file" in said
    assert [n["displayName"] for n in ended["wrong"]["status"]["nodes"].values() if n["type"] == "Pod"] == ["begin(0)"]

    said = message(ended["failing"], "end")
    assert "the run has failed" in said
    assert "energies/energy/0: ValueError: there is no energy of it" in said

    assert exit_code(["deployed", STUDY, "--delete", "--on", "argo"]) == 0
    assert bucket(kubernetes).list(f"deployed/deployed/{first.key}/") == {}


def start(argo: Any, template: str, *more: str) -> str:
    """The name of a workflow that was started."""
    return str(argo("submit", "--from", f"workflowtemplate/{template}", *more, "-o", "name")).strip()


def message(workflow: dict[str, Any], node: str) -> str:
    """What Argo shows of a node that failed."""
    nodes = workflow["status"]["nodes"].values()
    return next(str(found["message"]) for found in nodes if found["displayName"] == f"{node}(0)")


def begun(argo: Any) -> list[dict[str, Any]]:
    """The workflows that a schedule has begun."""
    return list(json.loads(argo("list", "-l", f"sciflow/deployed={NIGHTLY}", "-o", "json") or "[]"))


def running(argo: Any, name: str) -> list[str]:
    """The types of nodes that are at work."""
    nodes = json.loads(argo("get", name, "-o", "json"))["status"].get("nodes", {})
    return [node["type"] for node in nodes.values() if node["phase"] == "Running"]


def until(holds: Callable[[], Any]) -> Any:
    """Waits for something."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(1.0)
    raise AssertionError("it has not come")


def fetched(kubernetes: Kubernetes, workflow: dict[str, Any], path: str) -> bytes:
    """What a run has in the bucket."""
    key = f"deployed/runs/{workflow['metadata']['annotations']['sciflow/run']}/{path}"
    return bucket(kubernetes).get(key) or b""


def bucket(kubernetes: Kubernetes) -> Bucket:
    """The bucket, as a client sees it."""
    return Bucket("of the tests", S3Settings(endpoint=kubernetes.s3.url, bucket=kubernetes.s3.bucket))
