"""The cluster in the tests does what tests of Argo rely on."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from tests.services.kubernetes.service import Kubernetes
from tests.services.processes import soon

ROOT = Path(__file__).parents[3]
SAFE = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
TWICE = """
import msgspec, minio, pathlib
pathlib.Path("/out/text").write_text(pathlib.Path("/in/text").read_text() * 2)
"""


def call(cluster: Kubernetes, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {cluster.token if token is None else token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{cluster.argo_url}/api/v1/{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def one_pod(cluster: Kubernetes, program: str, *, image: str, **template: object) -> dict[str, Any]:
    """A workflow of one pod of nobody in particular, which can write into /out alone."""
    container = {
        "image": image,
        "command": ["python3", "-c", program],
        "securityContext": SAFE,
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    main = {"name": "main", "container": container, "volumes": [{"name": "out", "emptyDir": {}}], **template}
    spec = {"entrypoint": "main", "templates": [main], "securityContext": {"runAsUser": 1234, "runAsNonRoot": True}}
    return {"namespace": cluster.namespace, "workflow": {"metadata": {"generateName": "check-"}, "spec": spec}}


def phase_of(cluster: Kubernetes, submitted: dict[str, Any]) -> str:
    """How a workflow ends; it is gone afterwards."""
    all_of_them = f"workflows/{cluster.namespace}"
    path = f"{all_of_them}/{call(cluster, 'POST', all_of_them, submitted)['metadata']['name']}"
    ended = {"Succeeded", "Failed", "Error"}
    assert soon(lambda: call(cluster, "GET", path).get("status", {}).get("phase") in ended, 90.0, every_s=0.3)
    phase: str = call(cluster, "GET", path)["status"]["phase"]
    call(cluster, "DELETE", path)
    return phase


def test_a_pod_takes_a_file_of_s3_and_leaves_one_there(kubernetes: Kubernetes) -> None:
    s3 = kubernetes.s3
    bucket = Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=False, region=s3.region)
    bucket.put_object(s3.bucket, "check/in", io.BytesIO(b"ab"), 2)
    artifact = {"name": "text", "archive": {"none": {}}}
    workflow = one_pod(
        kubernetes,
        TWICE,
        image=kubernetes.base_image,
        inputs={"artifacts": [{**artifact, "path": "/in/text", "s3": {"key": "check/in"}}]},
        outputs={"artifacts": [{**artifact, "path": "/out/text", "s3": {"key": "check/out"}}]},
    )
    assert phase_of(kubernetes, workflow) == "Succeeded"
    assert bucket.get_object(s3.bucket, "check/out").read() == b"abab"


def test_a_pod_that_fails_makes_its_workflow_fail(kubernetes: Kubernetes) -> None:
    workflow = one_pod(kubernetes, "raise SystemExit(3)", image=kubernetes.base_image)
    assert phase_of(kubernetes, workflow) == "Failed"


def test_one_of_the_images_has_ase(kubernetes: Kubernetes) -> None:
    program = "import ase.build, scipy.optimize; assert len(ase.build.bulk('Cu')) == 1"
    assert phase_of(kubernetes, one_pod(kubernetes, program, image=kubernetes.ase_image)) == "Succeeded"


def test_a_token_that_nobody_gave_is_refused(kubernetes: Kubernetes) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        call(kubernetes, "GET", f"workflows/{kubernetes.namespace}", token="made.up.token")


def test_the_secret_in_the_namespace_holds_the_keys_of_s3(kubernetes: Kubernetes) -> None:
    said = kubernetes.run("kubectl", "get", "secret", kubernetes.s3_secret, "--output=jsonpath={.data}")
    assert set(json.loads(said)) == {"key", "secret"}


def test_whoever_asks_while_it_runs_gets_the_same(kubernetes: Kubernetes) -> None:
    script = (
        "from tests.services import catalogue, instances\n"
        "with instances.running(catalogue.SERVICES['kubernetes']) as cluster: print(cluster.token)"
    )
    argv = [sys.executable, "-c", script]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.strip() == kubernetes.token
    assert kubernetes.run("kubectl", "get", "--raw", "/readyz") == "ok"
