"""What the pods of a workflow print, asked of Kubernetes: it gives the log of one pod at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sciflow.executors.argo.server.connection import MISSING, Connection
from sciflow.executors.argo.server.objects import Metadata

MAIN = "main"  # the container of a task
WORKFLOW = "workflows.argoproj.io/workflow"  # a label
SILENT = (400, 403, MISSING)  # answers about a container that has not begun, is not for us to see, or is gone
OVER = frozenset({"Succeeded", "Failed"})


class _Status(msgspec.Struct, frozen=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: Metadata
    status: _Status = _Status()


class _Pods(msgspec.Struct, frozen=True):
    items: Sequence[_Pod]


class Pods:
    """The pods of one workflow."""

    def __init__(self, connection: Connection, namespace: str, workflow: str) -> None:
        self._connection = connection
        self._all = f"/api/v1/namespaces/{namespace}/pods"
        self._workflow = workflow
        self._heard: dict[str, str] = {}  # the time of the last line, by pod
        self._done: set[str] = set()  # pods that print nothing more

    def phases(self, selector: str = "") -> Mapping[str, str]:
        """How each pod is; none if nobody may see them. `selector`: only those with such labels."""
        labels = f"{WORKFLOW}={self._workflow}" + (f",{selector}" if selector else "")
        answer = self._connection.ask("GET", f"{self._all}?labelSelector={labels}", passed=(403,))
        pods = self._connection.decoded(answer.content, _Pods).items if answer.is_success else ()
        return {pod.metadata.name: pod.status.phase for pod in pods}

    def printed(self, pod: str, *, container: str, tail: int | None = None, since: str | None = None) -> list[str]:
        """The last lines of a container; `since` a time: with the time before each."""
        ask = f"{self._all}/{pod}/log?container={container}"
        ask += f"&tailLines={tail}" if tail is not None else ""
        ask += "&timestamps=true" if since is not None else ""
        ask += f"&sinceTime={since}" if since else ""
        answer = self._connection.ask("GET", ask, passed=SILENT)
        return answer.text.splitlines() if answer.is_success else []

    def pass_over(self, selector: str) -> None:
        """Says nothing of pods that have not such labels now."""
        self._done = self.phases().keys() - self.phases(selector).keys()

    def news(self) -> Iterator[tuple[str, str]]:
        """The lines that containers `main` have printed since the last look: (pod, line)."""
        for pod, phase in self.phases().items():
            if pod in self._done:
                continue
            for line in self.printed(pod, container=MAIN, since=self._heard.get(pod, "")):
                when, _, text = line.partition(" ")
                if when > self._heard.get(pod, ""):  # Kubernetes tells those of a whole second again
                    self._heard[pod] = when
                    yield pod, text
            if phase in OVER:
                self._done.add(pod)
