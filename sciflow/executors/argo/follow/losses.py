"""Which tasks have left no word of them, and what they have died of. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import msgspec

from sciflow.core.records import TaskError
from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus
from sciflow.runner.memory import out_of_memory

OUT_OF_MEMORY = "OOMKilled"  # says Kubernetes
AGAIN = "`sciflow retry`, which runs again what has left nothing, and nothing else"
LIVE = frozenset({"Pending", "Running"})  # phases of pods


def refusal(why: str) -> TaskError:
    """A workflow came to nothing."""
    return TaskError(kind="refused", type="sciflow:Refused", message=why, fatal=True)


def not_started(why: str) -> TaskError:
    """A pod was kept from starting for too long."""
    return TaskError(
        kind="place", type="sciflow:PodNotStarted", message=f"its pod could not be started: {why}", fatal=True
    )


def missing(paths: Iterable[str], status: WorkflowStatus, *, over: bool) -> dict[str, TaskError]:
    """The nodes of which a workflow that has ended has left nothing, and what their tasks have died of.

    `over`: nothing more comes of any; before that only those are known that have had no pod.
    """
    pods = status.pods
    gone = [path for path in paths if over or (pods and path not in pods)]  # Kubernetes may tell none
    return {path: lost(_message(pods.get(path, ()), status)) for path in gone}


def unbegun(paths: Iterable[str], status: WorkflowStatus) -> dict[str, bool]:
    """The nodes without a pod at work in a workflow that begins no more pods, and whether each has had one."""
    pods = status.pods
    live = {path for path, nodes in pods.items() if any(node.phase in LIVE for node in nodes)}
    return {path: path in pods for path in paths if path not in live} if status.nodes else {}


def _message(pods: Collection[NodeStatus], status: WorkflowStatus) -> str:
    if pods and all(pod.phase == "Succeeded" for pod in pods):
        return f"it has succeeded, and what it left in the bucket is not there any more\n    fix:      {AGAIN}"
    told = next((pod.message for pod in pods if pod.message), "")
    return told or status.message or f"its workflow ended: {status.phase}"


def lost(message: str) -> TaskError:
    """A pod was lost, by what Argo says; Argo replaces it no more."""
    if OUT_OF_MEMORY in message:
        return msgspec.convert({**out_of_memory(0), "fatal": True}, type=TaskError)
    lacking = re.search(r'failed to find name in PATH: exec: "([^"]+)"', message)
    if lacking is not None:
        fix = f"take an image that has {lacking[1]}: programs need a shell there, functions Python"
        return not_started(f"its image has no {lacking[1]}: {message}\n    fix:      {fix}")
    return TaskError(kind="place", type="sciflow:PodLost", message=f"no word of it: {message}", fatal=True)
