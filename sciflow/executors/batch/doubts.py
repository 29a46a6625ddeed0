"""Elements that a signal has ended: whose doing that was, the batch system says once they have left its queue.

An operator, a preemption, a node that goes down and a kernel short of memory all end a job by a signal; what the job
itself can say of it is the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sciflow.executors.batch.mirror import ClosingFacts
from sciflow.executors.batch.verdict import Verdict
from sciflow.executors.systems.system import JobState, State

PATIENCE_S = 5.0  # for an accounting that is late
SIGNAL = 128  # above it, a shell's exit code tells of one

_NAMED = {State.CANCELLED, State.OUT_OF_MEMORY, State.TIME_LIMIT, State.NODE_FAILURE}


class Doubt(msgspec.Struct, kw_only=True, eq=False):
    """What an element comes to if the batch system knows no more: `verdict`, or it has handed back what was left."""

    verdict: Verdict | None = None
    stuck: bool = False  # its first task had all the time that there was
    decided_at: float | None = None  # from then on the batch system is not waited for

    @classmethod
    def of(cls, facts: ClosingFacts, tasks: int) -> Doubt:
        """Of an element of so many tasks that has handed some back because of a signal."""
        return cls(stuck=facts.cut is not None and len(facts.left) == tasks)

    def decided(self, cause: JobState | None) -> bool:
        """Whether nothing more is to be waited for."""
        return cause is not None or (self.decided_at is not None and time.monotonic() >= self.decided_at)

    def outweighed(self, cause: JobState | None) -> JobState | None:
        """The batch system's word, if it says more than what the element comes to by itself."""
        if cause is None:
            return None
        if self.verdict is not None:
            return cause if cause.state in {*_NAMED, State.PREEMPTED} else None
        return cause if cause.state in _NAMED and (self.stuck or cause.state is not State.TIME_LIMIT) else None


def gone(doubts: Mapping[int, Doubt], listed: Sequence[JobState], job: str) -> Iterator[int]:
    """Those that no longer run by what the queue says of their job; one that it has queued again is decided."""
    own = [state for state in listed if state.job == job and not state.state.ended]
    running = {state.element for state in own if state.state is State.RUNNING}
    waiting = {state.element for state in own} - running
    now = time.monotonic()
    for element, doubt in doubts.items():
        if element in running or None in running:
            continue
        if element in waiting:
            doubt.decided_at = now
        elif doubt.decided_at is None:
            doubt.decided_at = now + PATIENCE_S
        yield element
