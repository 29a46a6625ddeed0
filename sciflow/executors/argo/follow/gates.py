"""Answers for the suspended nodes of a run: an object of the bucket each, of which the first that is given holds.

Whoever looks after the run is told of each, and Argo lets its node go on. Others may give answers, too, and come to an
end before Argo knows of them: what lies in the bucket is handed on, whoever has put it there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sciflow.errors import HostFailed, HostRefused
from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.news import Answer, News, Obeyed, Told
from sciflow.executors.argo.manifest.gate import ANSWER, ANSWERED
from sciflow.executors.argo.place.facts import GivenValue
from sciflow.executors.argo.place.given import bring_packs
from sciflow.executors.argo.server.objects import WorkflowStatus


class AnswerState(Enum):
    """How far an answer is of which somebody here was told."""

    TOLD = "told"  # Argo does not know of it, as far as we know
    LET_GO = "let go"  # Argo says that it has let the node go with it


class Gates:
    """The suspended nodes of one workflow for which there are answers."""

    def __init__(
        self,
        followed: Followed,
        *,
        send: Callable[[str, bytes], None],
        tell: Callable[[News], None],
        opens: bool = False,
    ) -> None:
        """`send`: puts an answer into the bucket, unless one is there.

        `opens`: of a run of what is deployed, whose nodes ask for no value: Argo lets them go on without an answer.
        """
        self._followed = followed
        self._bucket, self._layout = followed.bucket, followed.layout
        self._send = send
        self._tell = tell
        self._opens = opens
        self._states: dict[str, AnswerState] = {}  # by the node's path; of all others nobody was told
        self._orders: list[Answer] = []  # of which Argo does not know yet

    @property
    def waiting(self) -> bool:
        """Whether there is one of which Argo does not know; or there may be one of which we do not."""
        return self._opens or AnswerState.TOLD in self._states.values()

    @property
    def awaited(self) -> bool:
        """Whether somebody here waits until Argo knows."""
        return bool(self._orders)

    def give(self, order: Answer) -> None:
        """Gives an answer, or learns which one holds; it is obeyed when Argo knows of it."""
        held = self._held(order.path)
        if held is None:
            self._send(order.path, order.text)
            held = self._held(order.path)  # somebody else may have been quicker
        self._orders.append(order)
        self._know(order.path, order.text if held is None else held)

    def look(self) -> None:
        """Finds answers that somebody else has given."""
        head = self._layout.answer("")
        for path in [key.removeprefix(head) for key in self._bucket.list(head)]:
            if path not in self._states and (held := self._held(path)) is not None:
                self._know(path, held)

    def shut_again(self) -> None:
        """The workflow goes on anew: nodes may wait for what was answered before, and nobody is asked again."""
        self._states = dict.fromkeys(self._states, AnswerState.TOLD)

    def release(self, status: WorkflowStatus) -> None:
        """Lets those go on to which Argo has come; `status` has the workflow's nodes.

        What was told to Argo is not yet known to it: that it says itself, at a later look. A node that somebody has let
        go without the answer is followed by another one, which waits.

        Raises:
            HostFailed, HostRefused: an answer could not be handed on; the others were.
        """
        passed, refused = self._passed(status), None
        for path in [path for path, state in self._states.items() if state is AnswerState.TOLD]:
            if path in status.gates:
                try:
                    self._followed.server.release(self._followed.name, status.gates[path], {ANSWER: ANSWERED})
                except (HostFailed, HostRefused) as error:
                    refused = refused or error
            elif path in passed:
                self._states[path] = AnswerState.LET_GO
            if status.ended or path in passed:
                self._settle(path)
        for path in passed if self._opens else ():
            if path not in self._states:
                self._know(path, b"null")
                self._states[path] = AnswerState.LET_GO
        if refused is not None:
            raise refused

    def _passed(self, status: WorkflowStatus) -> set[str]:
        """The nodes that Argo has let go with an answer, or that need none."""
        nodes = (node for node in status.passed if self._opens or node.told(ANSWER) == ANSWERED)
        return {node.parameter("path") for node in nodes}

    def _held(self, path: str) -> bytes | None:
        """The answer that holds, as it is read here: what it refers to is here, or is to be had."""
        told = self._bucket.decoded(self._layout.answer(path), GivenValue)
        if told is None:
            return None
        bring_packs(self._bucket, self._layout, self._followed.here, [bytes(told.output)])
        return bytes(told.output)

    def _know(self, path: str, text: bytes) -> None:
        if path not in self._states:
            self._tell(Told(path=path, text=text))
        self._states[path] = AnswerState.TOLD

    def _settle(self, path: str) -> None:
        for order in [order for order in self._orders if order.path == path]:
            self._orders.remove(order)
            self._tell(Obeyed(order=order))
