"""Elements that the batch system no longer lists and that have said nothing: what became of them.

The queue may be late, and so may a network file system: an element is given up only when it was missing for a while.
The accounting is asked then, for its reason. It is late, too, by some seconds in most systems: that it says nothing
means that it does not know yet, and only an element of which it knows nothing for longer is lost all the same.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

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
        self, record: BatchRecord, unheard: Sequence[int], listed: Sequence[JobState]
    ) -> Iterator[tuple[int, JobState | None]]:
        """Those of the `unheard` elements that have ended, with what the queue says of it; None: nothing yet."""
        own = [state for state in listed if state.job == record.job]
        if any(state.element is None and not state.state.ended for state in own):
            self.forget(record.name)
            return
        listing = {state.element: state for state in own}
        unknown = JobState(job=record.job, state=State.UNKNOWN)
        for element in self._given_up(record, unheard, {state.element for state in own if not state.state.ended}):
            late = time.monotonic() - self._since[record.name, element] >= self.late_s or not record.job
            yield element, listing.get(element) or listing.get(None) or (unknown if late else None)

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


class Accounts(msgspec.Struct, frozen=True):
    """How elements have ended by the accounting, as far as it knows; under None: the whole job."""

    known: Mapping[tuple[str, int | None], JobState] = {}

    @classmethod
    def ask(cls, depot: Depot, system: BatchSystem, jobs: Iterable[str]) -> Accounts:
        """What it says of some jobs, in one call."""
        wanted = sorted({job for job in jobs if job})  # of some nobody has recorded the id before they were over
        command = system.accounting(wanted)
        if not wanted or not command.argv:
            return cls()
        try:
            states = command.parse(depot.run(command.argv, timeout_s=ACCOUNT_S))
        except HostUnreachable:
            raise
        except HostError:
            return cls()  # many sites have none
        return cls({(state.job, state.element): state for state in states if state.state.ended})

    def of(self, job: str, element: int) -> JobState | None:
        """What is known of an element."""
        return self.known.get((job, element)) or self.known.get((job, None))
