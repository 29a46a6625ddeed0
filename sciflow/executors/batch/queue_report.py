"""What the batch system says of a run's jobs, and what its engine is told of that: only what is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sciflow.errors import QueueUnavailable
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.mirror import QueueAnswer
from sciflow.executors.batch.news import News, Notice
from sciflow.executors.batch.standing import standing
from sciflow.executors.systems.system import JobState
from sciflow.executors.transports.transport import Output


class QueueReport:
    """The queue as one ward hears of it."""

    def __init__(self, handover: Handover, tell: Callable[[News], None]) -> None:
        self._handover = handover
        self._tell = tell
        self._trouble = ""
        self._standing = ""
        self._told = ""

    def states(self, answer: QueueAnswer | None) -> Sequence[JobState] | None:
        """What the batch system says of this user's jobs; None if it says nothing now, which is told."""
        if answer is None:
            return None
        trouble, states = "", None
        if answer.timed_out:
            trouble = "the batch system does not answer"
        else:
            said = Output(code=answer.code, stdout=answer.stdout.encode(), stderr=answer.stderr.encode())
            try:
                states = self._handover.system.queue().parse(said)
            except QueueUnavailable as error:
                trouble = str(error)
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(Notice(text=trouble and f"{self._handover.depot.transport.name}: {trouble}; waiting"))
        return states

    def tell(self, jobs: Mapping[str, str], states: Sequence[JobState] | None, *, waits: str) -> None:
        """Tells how the jobs stand, unless it is that something is waited for.

        Args:
            jobs: the executor of each.
            states: what the queue says of them, if it does.
            waits: what is waited for.
        """
        if states is not None:
            self._standing = standing(next(iter(jobs.values()), ""), jobs.keys(), states)
        told = waits or self._standing
        if told != self._told:
            self._told = told
            self._tell(Notice(text=told, passing=True))
