"""Elements that the batch system no longer lists and that have said nothing: what became of them.

The queue may be late, and so may a network file system: an element is given up only when it was missing for a while.
The accounting is asked then, for its reason. It is late, too, by some seconds in most systems: that it says nothing
means that it does not know yet, and only an element of which it knows nothing for longer is lost all the same.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence

import msgspec

from sciflow.errors import HostError, HostUnreachable
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.systems.system import BatchSystem, JobState, State

PATIENCE_S = 5.0  # before a missing element counts as ended
LATE_S = 20.0  # before one that the accounting does not know either does; Grid Engine writes its file every 15 s
ACCOUNT_S = 30.0


class Missing(msgspec.Struct, eq=False):
    """Since when which elements are missing."""

    patience_s: float = PATIENCE_S
    late_s: float = LATE_S
    _since: dict[tuple[str, int], float] = msgspec.field(default_factory=dict)

    def look(
        self, depot: Depot, system: BatchSystem, record: BatchRecord, unheard: Sequence[int], listed: Sequence[JobState]
    ) -> Iterator[tuple[int, JobState]]:
        """Those of the `unheard` elements that have ended, with what is known of their end."""
        own = [state for state in listed if state.job == record.job]
        if any(state.element is None and not state.state.ended for state in own):
            self.forget(record.name)
            return
        given_up = self._given_up(record, unheard, {state.element for state in own if not state.state.ended})
        if not given_up:
            return
        listing = {state.element: state for state in own}
        sources = (self.accounted(depot, system, record), listing)  # the accounting knows more
        unknown = JobState(job=record.job, state=State.UNKNOWN)
        for element in given_up:
            told = (source[place] for source in sources for place in (element, None) if place in source)
            late = time.monotonic() - self._since[record.name, element] >= self.late_s or not record.job
            state = next(told, unknown if late else None)
            if state is not None:
                yield element, state

    def _given_up(self, record: BatchRecord, unheard: Sequence[int], alive: Collection[int | None]) -> list[int]:
        """The elements that were not listed for too long."""
        now, given_up = time.monotonic(), []
        for element in unheard:
            if element in alive:
                self._since.pop((record.name, element), None)
            elif now - self._since.setdefault((record.name, element), now) >= self.patience_s:
                given_up.append(element)
        return given_up

    def forget(self, name: str) -> None:
        """Nothing of this submission is missing."""
        self._since = {place: since for place, since in self._since.items() if place[0] != name}

    def accounted(self, depot: Depot, system: BatchSystem, record: BatchRecord) -> dict[int | None, JobState]:
        """How elements have ended by the accounting, as far as it knows; under None: the whole job."""
        if not record.job:  # nobody has recorded its id before it was over
            return {}
        command = system.accounting([record.job])
        if not command.argv:
            return {}
        try:
            states = command.parse(depot.run(command.argv, timeout_s=ACCOUNT_S))
        except HostUnreachable:
            raise
        except HostError:
            return {}  # many sites have none
        return {state.element: state for state in states if state.job == record.job and state.state.ended}
