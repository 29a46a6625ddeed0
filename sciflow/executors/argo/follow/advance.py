"""How far pods are that are at work, as Argo tells it: in whole numbers, from time to time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus

UNSAID = "0/1"  # what Argo says of a pod that says nothing
LEAST_S = 2.0  # between two looks at the nodes of a workflow
COSTS = 20.0  # times as long as such a look takes pass until the next


class NodesDue:
    """Whether it is worth while to ask for a workflow's nodes, which may be many: only where its sum has changed."""

    def __init__(self) -> None:
        self._seen = ""
        self._not_before = 0.0

    def holds(self, status: WorkflowStatus) -> bool:
        """Whether Argo tells another progress of the whole than at the last look."""
        return status.progress != self._seen and time.monotonic() >= self._not_before

    def looked(self, status: WorkflowStatus, seconds: float) -> None:
        """Takes what a look has shown, and how long it took."""
        self._seen = status.progress
        self._not_before = time.monotonic() + max(LEAST_S, COSTS * seconds)


def advances(status: WorkflowStatus) -> Mapping[str, str]:
    """How far the pods of each node are that are at work, by the node's path; those of which nothing is known not."""
    running = {path: [pod for pod in pods if pod.phase == "Running"] for path, pods in status.pods.items()}
    return {path: _sum(path, pods) for path, pods in running.items() if any(pod.progress != UNSAID for pod in pods)}


def begun(status: WorkflowStatus) -> Mapping[str, bool]:
    """Whether any pod of a node has begun, by the node's path."""
    return {path: any(pod.phase != "Pending" for pod in pods) for path, pods in status.pods.items()}


def _sum(path: str, pods: list[NodeStatus]) -> str:
    parts = [node.progress.partition("/") for node in pods if node.progress]
    done, total = sum(int(part[0]) for part in parts), sum(int(part[2]) for part in parts)
    return f"{path}: {done}/{total}" + (f" in {len(pods)} pods" if len(pods) > 1 else "")
