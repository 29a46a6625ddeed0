"""What a pod is let be: a Python of long ago, several slices at once; and what Argo says of it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from sciflow import Run
from sciflow.executors.argo.manifest.naming import dns_name
from tests.contract.argo_ops import spans
from tests.contract.argo_place import settle_at_argo
from tests.contract.test_argo_leaving import phase_there, until
from tests.services.kubernetes.service import Kubernetes
from tests.unit.runner.node_driver import oldest_python

OLD, BESIDE = "/opt/old", "/opt/beside"  # where pods have an old Python, and a program that starts it
START = f'#!/bin/sh\nLD_LIBRARY_PATH={OLD}/lib exec {OLD}/bin/python3 "$@"\n'  # it need not be where it was built for


def old_python() -> Path:
    """The folder of an installed Python 3.9 or 3.10."""
    python = oldest_python()
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    folder = Path(python).resolve().parents[1]
    if folder == Path("/usr"):
        pytest.skip("the Python 3.9 or 3.10 that is installed here has no folder of its own")
    return folder


def objects(kubernetes: Kubernetes, prefix: str) -> list[str]:
    s3 = kubernetes.s3
    client = Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=False)
    return [str(one.object_name) for one in client.list_objects(s3.bucket, prefix=prefix, recursive=True)]


def nodes(kubernetes: Kubernetes, run: Run[Any]) -> dict[str, dict[str, Any]]:
    """What Argo shows of a run, by the names of its nodes."""
    asked = ("kubectl", "get", "workflow", dns_name(run.id), "-n", kubernetes.namespace, "-o", "json")
    return {n["displayName"]: n for n in json.loads(kubernetes.run(*asked))["status"]["nodes"].values()}


@pytest.mark.kubernetes
@pytest.mark.timeout(900)
def test_slices_at_once_in_a_pod_of_an_old_python_and_the_same_once_more_of_which_nothing_stays(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, folder = f"pods-{secrets.token_hex(4)}", old_python()
    beside = tmp_path / "beside"
    beside.mkdir(mode=0o755)
    (beside / "python").write_text(START)
    (beside / "python").chmod(0o755)
    places = {"old": (folder, OLD), "beside": (beside, BESIDE)}
    own: dict[str, Any] = {
        "python": f"{BESIDE}/python",
        "volumes": [{"name": name, "hostPath": {"path": str(here)}} for name, (here, _) in places.items()],
        "mounts": [{"name": name, "mountPath": there, "readOnly": True} for name, (_, there) in places.items()],
        "workers": 2,
        "pods": 1,
        "annotations": {"example.org/grant": "a: b # {c}"},
    }
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix=prefix, **own)
    first = spans.submit([4.0, 4.0, 0.0], kubernetes.ase_image, on="argo")
    assert first.wait(400) == "Succeeded", first.report()
    begun, ended, versions = zip(*first.result, strict=True)
    assert max(versions) < (3, 11)
    assert max(begun[:2]) < min(ended[:2])  # both at once
    until(lambda: phase_there(kubernetes, first) == "Succeeded", patience_s=60)
    shown = nodes(kubernetes, first)["span(0:0)(0)"]["outputs"]["parameters"]
    assert shown == [{"name": "keys", "value": "span-0 ... span-2 (3 tasks)", "valueFrom": shown[0]["valueFrom"]}]
    of_run = f"workflows.argoproj.io/workflow={dns_name(first.id)}"
    pods = kubernetes.run("kubectl", "get", "pods", "-n", kubernetes.namespace, "-l", of_run, "-o", "json")
    (pod,) = json.loads(pods)["items"]
    assert pod["metadata"]["annotations"]["sciflow/op"] == "span(seconds)"
    assert {c["image"] for c in pod["spec"]["containers"] if c["name"] == "main"} == {kubernetes.ase_image}

    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix=prefix, **own, cleanup="on_success")
    second = first.resubmit()
    assert second.id != first.id
    assert second.wait(400) == "Succeeded", second.report()
    assert len(second.result) == 3
    assert second.result != first.result
    until(lambda: not objects(kubernetes, f"{prefix}/runs/{second.id}/"), patience_s=60)
    until(lambda: phase_there(kubernetes, second) == "", patience_s=60)
    assert objects(kubernetes, f"{prefix}/runs/{first.id}/") != []
