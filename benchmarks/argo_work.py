"""All sides of the rows of Argo, on the cluster of the tests, which starts before the clock does if none runs.

The peers are what one would write by hand: a Workflow whose pods run a script in the same image.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services import instances
from tests.services.kubernetes.service import Kubernetes, KubernetesService

Figures = dict[str, float]
Manifest = dict[str, Any]
AT_ONCE = 10  # pods, on all sides: more of them make this cluster slower
LOOK_S = 1.0
USED = Path("/sys/fs/cgroup/cpuacct/kubepods/cpuacct.usage")  # by pods, also those that are gone

_STUDY = """
import json, sys
from sciflow import op, workflow

@op
def double(x: int) -> int:
    return 2 * x

def fan_of(chunk):
    @workflow
    def fan(numbers: list[int]) -> list[int]:
        return double.options(chunk=chunk).map(x=numbers)
    return fan

def chain_of(steps):
    @workflow
    def chain(x: int) -> int:
        for _ in range(steps):
            x = double(x)
        return x
    return chain

if __name__ == "__main__":
    what, size, chunk = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) or None
    made = fan_of(chunk).run(list(range(size)), on="argo") if what == "fan" else chain_of(size).run(1, on="argo")
    print(json.dumps([made.id, made.result]))
"""
_DOUBLE = "open('/tmp/out', 'w').write(str(2 * int(%s)))"


@contextmanager
def _cluster() -> Iterator[Kubernetes]:
    with instances.running(KubernetesService()) as cluster:
        yield cluster


def _used_s() -> float:
    return int(USED.read_text()) / 1e9 if USED.exists() else 0.0


# --- ours


def fan(size: int, folder: Path) -> Figures:
    """A fan, in as many pods as the executor takes by itself."""
    return _run("fan", size, folder, list(range(0, 2 * size, 2)))


def fan_in_ten(size: int, folder: Path) -> Figures:
    """A fan in ten pods, as one says whose slices are short."""
    return _run("fan", size, folder, list(range(0, 2 * size, 2)), chunk=max(1, size // 10))


def chain(steps: int, folder: Path) -> Figures:
    """A chain of ops."""
    return _run("chain", steps, folder, 2**steps)


def _run(what: str, size: int, folder: Path, expected: object, *, chunk: int = 0) -> Figures:
    with _cluster() as cluster:
        bucket = {"type": "s3", "endpoint": cluster.s3.url, "bucket": cluster.s3.bucket, "prefix": "bench"}
        table = {
            "type": "argo",
            "server": cluster.argo_url,
            "namespace": cluster.namespace,
            "token": {"env": "TOKEN_OF_ARGO"},
            "storage": "bucket",
            "base_image": cluster.base_image,
            "parallelism": AT_ONCE,
            "look_least_s": LOOK_S,
            "look_most_s": LOOK_S,
        }
        settings = {"EXECUTORS": {"argo": table}, "STORAGES": {"bucket": bucket}}
        environ = {
            **os.environ,
            **cluster.s3.env,
            "TOKEN_OF_ARGO": cluster.token,
            "SCIFLOW_RUNS": str(folder / "runs"),
            "SCIFLOW_PROGRESS": "false",
            **{f"SCIFLOW_{name}": json.dumps(value) for name, value in settings.items()},
        }
        script = folder / "study.py"
        script.write_text(_STUDY)
        used, began = _used_s(), time.perf_counter()
        argv = [sys.executable, str(script), what, str(size), str(chunk)]
        said = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
        seconds, used = time.perf_counter() - began, _used_s() - used
        run, found = json.loads(said)
        assert found == expected
        return {"seconds": seconds, "pods_cpu_s": used, "object_kb": len(_workflow(cluster, run)) / 1e3}


# --- by hand


def pods(size: int, folder: Path) -> Figures:
    """A pod for each slice."""
    del folder
    template = {
        "name": "double",
        "inputs": {"parameters": [{"name": "x"}]},
        "outputs": {"parameters": [{"name": "y", "valueFrom": {"path": "/tmp/out"}}]},
    }
    task = {
        "name": "fan",
        "template": "double",
        "withSequence": {"count": str(size)},
        "arguments": {"parameters": [{"name": "x", "value": "{{item}}"}]},
    }
    figures, nodes = _by_hand([task], template, "'{{inputs.parameters.x}}'")
    found = [one["outputs"]["parameters"][0]["value"] for one in nodes if one["type"] == "Pod"]
    assert sorted(map(int, found)) == list(range(0, 2 * size, 2))
    return figures


def bare_chain(steps: int, folder: Path) -> Figures:
    """Pods that hand an artifact on."""
    del folder
    archive: Manifest = {"archive": {"none": {}}}
    template = {
        "name": "double",
        "inputs": {"artifacts": [{"name": "x", "path": "/tmp/in", **archive, "optional": True}]},
        "outputs": {"artifacts": [{"name": "y", "path": "/tmp/out", **archive}]},
    }
    tasks: list[Manifest] = [{"name": "s0", "template": "double"}]
    for k in range(1, steps):
        handed = {"name": "x", "from": f"{{{{tasks.s{k - 1}.outputs.artifacts.y}}}}"}
        tasks.append(
            {"name": f"s{k}", "template": "double", "depends": f"s{k - 1}", "arguments": {"artifacts": [handed]}}
        )
    figures, nodes = _by_hand(tasks, template, "open('/tmp/in').read() if os.path.isfile('/tmp/in') else 1")
    assert sum(one["type"] == "Pod" for one in nodes) == steps
    return figures


def _by_hand(tasks: list[Manifest], template: Manifest, x: str) -> tuple[Figures, list[Manifest]]:
    with _cluster() as cluster:
        name = f"byhand-{time.time_ns():x}"
        script = f"import os; {_DOUBLE % x}"
        container = {"image": cluster.base_image, "command": ["python3", "-c", script]}
        spec = {
            "entrypoint": "main",
            "parallelism": AT_ONCE,
            "templates": [{"name": "main", "dag": {"tasks": tasks}}, {**template, "container": container}],
        }
        made = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, "namespace": cluster.namespace},
            "spec": spec,
        }
        used, began = _used_s(), time.perf_counter()
        cluster.run("kubectl", "create", "-f", "-", stdin=json.dumps(made))
        phase = ("kubectl", "get", "workflow", name, "-n", cluster.namespace, "-o", "jsonpath={.status.phase}")
        while (ended := cluster.run(*phase)) not in ("Succeeded", "Failed", "Error"):
            time.sleep(LOOK_S)
        seconds, used = time.perf_counter() - began, _used_s() - used
        told: Mapping[str, Any] = json.loads(_workflow(cluster, name))
        cluster.run("kubectl", "delete", "workflow", name, "-n", cluster.namespace)
        assert ended == "Succeeded", told["status"].get("message")
        return {"seconds": seconds, "pods_cpu_s": used}, list(told["status"]["nodes"].values())


def _workflow(cluster: Kubernetes, name: str) -> bytes:
    """The object as Argo's server gives it: status and all, not compressed."""
    from httpx import get

    headers = {"Authorization": f"Bearer {cluster.token}"}
    answer = get(f"{cluster.argo_url}/api/v1/workflows/{cluster.namespace}/{name}", headers=headers, timeout=60)
    return answer.raise_for_status().content
