"""Which pods of a workflow wait, and for what, in the words of Kubernetes.

A pod that waits for room, on the nodes or in a quota, waits its turn as in a queue, and is told of. One that cannot be
started, for want of its image or of a Secret, is told of, too, and given up after a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from sciflow.executors.argo.follow.trouble import BLOCKED
from sciflow.executors.argo.pod_logs import pod_name
from sciflow.executors.argo.server.objects import NodeStatus, PodEvent, WorkflowStatus
from sciflow.executors.argo.server.workflows import Watch

SILENT_S = 10.0  # for which nothing has been heard of a workflow, before it is asked what its pods wait for
MOST = 3  # reasons that are told at once, and pods of which is asked why they do not start
BEGINNING = ("PodInitializing", "ContainerCreating", "")  # says a pod as a rule, and also one that cannot be started
IN_TURN = "Waiting for "  # a lock, says Argo
RESTING = "Backoff for "  # until a lost pod is replaced
HIDDEN = ("Error: ErrImagePull", "Error: ImagePullBackOff")  # events that say less than those beside them


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """What the pods of a workflow wait for."""

    text: str = ""  # for those who look; empty: nothing that is to be told
    given_up: Mapping[str, str] = {}  # paths of nodes none of whose pods can be started, and why
    alone: bool = False  # nothing else of the workflow is on its way
    asks: bool = False  # an answer is waited for


class WaitingPods:
    """Looks at the pods of one workflow that wait, and knows since when."""

    def __init__(self, server: Watch, name: str, *, limit_s: float, advise: Callable[[str, str], str]) -> None:
        """`limit_s`: for which a pod may be kept from starting; `advise`: what to do about such words of a pod."""
        self._server = server
        self._name = name
        self._limit_s = limit_s
        self._advise = advise
        self._since: dict[str, float] = {}  # when a pod was first seen that cannot be started, by node
        self._why: dict[str, str] = {}

    def look(self, status: WorkflowStatus) -> Waits:
        """What its pods wait for now; `status` has its nodes."""
        live = [node for node in status.nodes.values() if _is_live(node)]
        pending = [node for node in live if node.type == "Pod" and node.phase == "Pending"]
        self._learn(pending)
        blocked = {node.id for node in pending if node.id in self._since}
        told = [(node, self._why.get(node.id, node.message)) for node in pending]
        waiting = [(node, why) for node, why in told if why not in BEGINNING and not why.startswith(IN_TURN)]
        idle = blocked | {node.id for node in pending if node.message.startswith(IN_TURN)}
        return Waits(
            text=self._told(waiting),
            given_up=self._given_up(live, blocked),
            alone=bool(blocked) and all(node.id in idle for node in live),
            asks=any(node.type == "Suspend" for node in live),
        )

    def _learn(self, pending: Sequence[NodeStatus]) -> None:
        """Finds out which of them cannot be started, and why."""
        now, known = time.monotonic(), {node.id for node in pending}
        self._since = {id_: since for id_, since in self._since.items() if id_ in known}
        self._why = {id_: why for id_, why in self._why.items() if id_ in known}
        for node in pending:
            if node.message.startswith(BLOCKED):
                self._since.setdefault(node.id, now)
                self._why[node.id] = node.message
        silent = {node.parameter("path"): node for node in pending if node.message in BEGINNING}
        for path, node in list(silent.items())[:MOST]:
            why = trouble_of(self._server.events(pod_name(self._name, node)))
            alike = (one for one in pending if one.parameter("path") == path and one.message in BEGINNING)
            for other in alike:
                if why:
                    self._since.setdefault(other.id, now)
                    self._why[other.id] = why
                else:  # what there was has passed
                    self._since.pop(other.id, None)
                    self._why.pop(other.id, None)

    def _given_up(self, live: Iterable[NodeStatus], blocked: set[str]) -> dict[str, str]:
        pods: dict[str, list[str]] = {}
        for node in live:
            pods.setdefault(node.parameter("path"), []).append(node.id)
        long_ago = time.monotonic() - self._limit_s
        return {
            path: self._advised(self._why[ids[0]], path)
            for path, ids in pods.items()
            if blocked.issuperset(ids) and min(self._since[id_] for id_ in ids) <= long_ago
        }

    def _told(self, waiting: Iterable[tuple[NodeStatus, str]]) -> str:
        by_reason: dict[str, dict[str, int]] = {}
        for node, why in waiting:
            pods = by_reason.setdefault(_reason(why), {})
            path = node.parameter("path") or why
            pods[path] = pods.get(path, 0) + 1
        lines = []
        for why, pods in list(by_reason.items())[:MOST]:
            counts = (f"{path} ({count} pods)" if count > 1 else path for path, count in list(pods.items())[:MOST])
            more = f" and {len(pods) - MOST} more" if len(pods) > MOST else ""
            lines.append(f"{', '.join(counts)}{more}: {self._advised(why, next(iter(pods)))}")
        return "waits: " + "\n".join(lines) if lines else ""

    def _advised(self, why: str, path: str) -> str:
        advice = self._advise(why, path)
        return f"{why}\n    fix:      {advice}" if advice else why


def trouble_of(events: Sequence[PodEvent]) -> str:
    """What the events of a pod say of why it does not start; empty if nothing keeps it."""
    started = max((event.last for event in events if event.reason == "Started"), default="")
    warnings = [event for event in events if event.type == "Warning" and event.last >= started]
    clear = [event for event in warnings if event.message not in HIDDEN]
    last = max(clear or warnings, key=lambda event: event.last, default=None)
    return "" if last is None else f"{last.reason}: {last.message}"


def _is_live(node: NodeStatus) -> bool:
    match node.type:
        case "Pod":
            return node.phase in {"Pending", "Running", ""}
        case "Suspend":
            return node.phase == "Running"
        case "Retry":
            return node.phase == "Running" and node.message.startswith(RESTING)
        case _:
            return False


def _reason(why: str) -> str:
    """Without what is another word for each pod: quotas are told with the name of the pod that is refused."""
    head, found, rest = why.partition(" is forbidden: exceeded quota")
    return f"exceeded quota{rest}" if found and head.startswith("pods ") else why
