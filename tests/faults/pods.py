"""A bench for faults on Kubernetes: a real Argo, and what can be counted afterwards in a folder that all pods have."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

import sciflow
from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.pod_logs import pod_name
from sciflow.executors.argo.server.objects import WorkflowStatus
from tests.contract.argo_place import settle_at_argo
from tests.faults.cluster import PATIENCE_S, engine_log, is_over
from tests.faults.harness import Bench, eventually
from tests.services.kubernetes.service import Kubernetes

SLOW = pytest.mark.skipif(not os.environ.get("SCIFLOW_TEST_SLOW"), reason="takes minutes: SCIFLOW_TEST_SLOW=1")
SIGNS = "/signs"  # where pods have the folder of signs


@dataclass(frozen=True)
class Pods:
    """The cluster as the executor of runs."""

    bench: Bench
    kubernetes: Kubernetes
    patch: pytest.MonkeyPatch

    def settings(self, **more: Any) -> None:
        """Has runs go there, with these settings beside the usual ones."""
        signs = self.bench.folder / "signs"
        signs.mkdir(exist_ok=True)
        signs.chmod(0o777)
        settle_at_argo(
            self.kubernetes,
            self.bench.folder,
            self.patch,
            prefix=f"faults-{self.bench.folder.name}",
            **{
                "volumes": [{"name": "signs", "hostPath": {"path": str(signs)}}],
                "mounts": [{"name": "signs", "mountPath": SIGNS}],
                "settings": {"tally": f"{SIGNS}/tally.txt", "signs": SIGNS},
                **more,
            },
        )
        self.patch.setenv("SCIFLOW_EXECUTOR", "argo")

    def sign(self, name: str) -> None:
        """What tasks wait for has come."""
        (self.bench.folder / "signs" / name).touch()

    # --- what can be seen

    def notes(self, what: str) -> Counter[str]:
        """How often each task has "began" or "ended", by path and attempt."""
        tally = self.bench.folder / "signs" / "tally.txt"
        lines = tally.read_text().splitlines() if tally.exists() else []
        return Counter(task for said, _, task in (line.partition(" ") for line in lines) if said == what)

    def began(self, count: int) -> bool:
        return eventually(lambda: self.notes("began").total() >= count, timeout_s=PATIENCE_S, pause_s=0.1)

    def ended(self, count: int) -> bool:
        return eventually(lambda: self.notes("ended").total() >= count, timeout_s=PATIENCE_S, pause_s=0.1)

    def workflow(self, run: sciflow.Run[Any]) -> dict[str, Any]:
        """What Kubernetes has of the run; empty if nothing."""
        asked = ("kubectl", "get", "workflow", workflow_name(run.id), "-n", self.kubernetes.namespace, "-o", "json")
        return json.loads(self.kubernetes.run(*asked, check=False) or "{}")  # type: ignore[no-any-return]

    def phase(self, run: sciflow.Run[Any]) -> str:
        """Of its workflow."""
        return str(self.workflow(run).get("status", {}).get("phase", ""))

    def messages(self, run: sciflow.Run[Any]) -> str:
        """What Argo says of its nodes."""
        nodes = self.workflow(run).get("status", {}).get("nodes", {}).values()
        return "\n".join(f"{node['phase']} {node.get('message', '')}" for node in nodes)

    def becomes(self, run: sciflow.Run[Any], phase: str) -> bool:
        return eventually(lambda: self.phase(run) == phase, timeout_s=PATIENCE_S, pause_s=0.3)

    def pod(self, run: sciflow.Run[Any], path: str, *, chunk: int = 0) -> str:
        """The last of the pods that run a chunk of a node."""
        status = msgspec.json.decode(msgspec.json.encode(self.workflow(run).get("status", {})), type=WorkflowStatus)
        nodes = [node for node in status.nodes.values() if node.type == "Pod" and node.parameter("path") == path]
        return pod_name(workflow_name(run.id), [node for node in nodes if node.parameter("chunk") == str(chunk)][-1])

    def kill_engines(self) -> None:
        """`kill -9`, as of a machine that goes down."""
        for engine in self.bench.processes.engines():
            engine.kill()
        assert eventually(lambda: not self.bench.processes.engines())

    def remove(self) -> None:
        """All workflows of this bench."""
        for folder in self.bench.runs.glob("*"):
            asked = ("kubectl", "delete", "workflow", workflow_name(folder.name), "-n", self.kubernetes.namespace)
            self.kubernetes.run(*asked, "--ignore-not-found", "--wait=false")


def ends(run: sciflow.Run[Any], timeout_s: float = 5 * PATIENCE_S) -> str:
    """The phase in which the run ends."""
    assert eventually(lambda: is_over(run), timeout_s=timeout_s, pause_s=0.2), run.report() + engine_log(run)
    return str(run.phase.value)
