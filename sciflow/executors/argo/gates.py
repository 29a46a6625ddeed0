"""The suspended nodes of one workflow that are to go on with an answer that lies in the bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sciflow.executors.argo.manifest.workflow import ANSWER, ANSWERED
from sciflow.executors.argo.news import Answer
from sciflow.executors.argo.server.objects import WorkflowStatus
from sciflow.executors.argo.server.workflows import Control


class Gates:
    """Answers of which Argo has not been told."""

    def __init__(self, server: Control, name: str, *, done: Callable[[Answer], None]) -> None:
        """`done`: hears of each ordered answer of which Argo knows now, or will never need to."""
        self._server = server
        self._name = name
        self._done = done
        self._answers: dict[str, Answer | None] = {}  # by path; None: nobody waits for it

    def __bool__(self) -> bool:
        return bool(self._answers)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for one of them to be known."""
        return any(answer is not None for answer in self._answers.values())

    def add(self, answer: Answer) -> None:
        """One more."""
        self._answers[answer.path] = answer

    def recall(self, paths: Iterable[str]) -> None:
        """Those that were given to a workflow that is submitted anew."""
        for path in paths:
            self._answers.setdefault(path, None)

    def release(self, status: WorkflowStatus) -> None:
        """Lets those go on to which Argo has come; `status` has the workflow's nodes."""
        suspended = {node.parameter("path") for node in status.nodes.values() if node.type == "Suspend"}
        waiting = status.gates
        for path in list(self._answers):
            gate = waiting.get(path)
            if gate is not None:
                self._server.release(self._name, gate, {ANSWER: ANSWERED})
            if status.ended or path in suspended:
                answer = self._answers.pop(path)
                if answer is not None:
                    self._done(answer)
