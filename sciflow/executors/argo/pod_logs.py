"""What pods print while they are at work, as Argo's server has it: the log of a pod's container `main`."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus
from sciflow.executors.argo.server.workflows import Watch

AT_WORK = "workflows.argoproj.io/completed=false"  # a label of Argo's
LOOK_S = 3.0  # between two looks for a pod that is not known
LONGEST = 242  # characters of a pod's name before its number
_OF_ARGO = re.compile(r'^time="?[^ ]+ level=\w+ msg=.*argo=true')  # a line of Argo's own in the container


class PodLine(msgspec.Struct, frozen=True):
    """A line, and who has printed it: a node's path, and of a fan the number of the pod."""

    node: str
    pod: str
    text: str

    @property
    def title(self) -> str:
        """As people read it."""
        return f"{self.node}, pod {self.pod}" if self.pod else self.node


class PodLogs:
    """The logs of one workflow's pods."""

    def __init__(self, server: Watch, name: str, *, pods: int) -> None:
        """`pods`: of a fan, unless it says how many slices make one."""
        self.pods = pods
        self._server = server
        self._name = name
        self._known: Mapping[str, NodeStatus] = {}
        self._pods_of: Mapping[str, int] = {}  # how many work on a node, by its path
        self._missed: dict[str, float] = {}  # when a pod was looked for: Argo may not know it, and tell megabytes
        self._told: Counter[str] = Counter()  # lines of each pod that was followed

    def so_far(self, node: str, *, chunk: int | None = None, tail: int | None = None) -> Iterator[PodLine]:
        """What the pods of a node have printed that are at work; `chunk`: one of them.

        Raises:
            HostError: the server gives no answer, or not that one.
        """
        self._look()
        for pod, status in self._known.items():
            wanted = status.parameter("path") == node and chunk in (None, _chunk(status))
            if wanted and status.phase == "Running":
                yield from (line for _, line in self._read(pod=pod, tail=tail))

    def follow(self, node: str | None, *, chunk: int | None = None) -> Iterator[PodLine]:
        """What pods print from their beginning on, until the workflow has ended; `node`: only this one's, if named.

        The server may end it before: who follows again is told nothing twice.

        Raises:
            HostError: the server gives no answer, or not that one.
        """
        again: Counter[str] = Counter()  # lines of this stream, which has those that were told before as well
        for pod, line in self._read(follow=True):
            again[pod] += 1
            if again[pod] <= self._told[pod]:
                continue
            self._told[pod] = again[pod]
            own = node is None or line.node == node or line.node.startswith(f"{node}/")
            if own and (chunk is None or line.pod == str(chunk)):
                yield line

    def _read(self, *, pod: str = "", tail: int | None = None, follow: bool = False) -> Iterator[tuple[str, PodLine]]:
        """Lines, and the pod of each."""
        for found, text in self._server.log(self._name, pod=pod, tail=tail, selector=AT_WORK, follow=follow):
            if _OF_ARGO.match(text):
                continue
            if found not in self._known and time.monotonic() - self._missed.get(found, -math.inf) >= LOOK_S:
                self._look()
                self._missed[found] = time.monotonic()
            yield found, self._line(found, text)

    def _line(self, pod: str, text: str) -> PodLine:
        status = self._known.get(pod)
        if status is None:
            return PodLine(pod, "", text)
        path, chunk = status.parameter("path"), status.parameter("chunk")
        several = self._pods_of[path] > 1
        return PodLine(path, chunk if several or chunk != "0" else "", text)

    def _look(self) -> None:
        status = self._server.status(self._name, nodes=True) or WorkflowStatus()
        self._pods_of = {path: len(pods) for path, pods in status.pods.items()}
        nodes = [node for pods in status.pods.values() for node in pods]
        self._known = {name: node for node in nodes for name in (node.id, pod_name(self._name, node))}


def _chunk(status: NodeStatus) -> int:
    return int(status.parameter("chunk") or 0)


def pod_name(workflow: str, node: NodeStatus) -> str:
    """See `GeneratePodName` in Argo's `workflow/util/pod_name.go`; older Argos call a pod as its node."""
    return f"{f'{workflow}-{node.template}'[:LONGEST]}-{node.id.rpartition('-')[2]}"
