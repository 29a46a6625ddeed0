"""Elements that the batch system no longer lists and that have said nothing: what became of them.

The queue may be late, and so may a network file system be with the marks of elements: one is given up only when it was
missing for a while. Where the accounting says that it died, that is soon; where it says that all went well, the marks
are on their way; where it says nothing, it may be late itself, by some seconds in most systems.
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
LATE_S = 75.0  # for marks: network file systems remember for a minute what was not there (acdirmax of nfs(5))
ACCOUNT_S = 30.0


class Missing(msgspec.Struct, eq=False):
    """Since when which elements are missing."""

    patience_s: float = PATIENCE_S  # with the queue
    late_s: float = LATE_S  # with marks, and with the accounting: Grid Engine writes its file every 15 s
    _since: dict[tuple[str, int], float] = msgspec.field(default_factory=dict)
    _asked: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)  # when again, and when after that
    _awaited: dict[str, int] = msgspec.field(default_factory=dict)  # how many have left the queue for sure

    def look(
        self, record: BatchRecord, unheard: Sequence[int], listed: Sequence[JobState]
    ) -> Iterator[tuple[int, JobState, float]]:
        """Those of the `unheard` elements of which the accounting is to be asked now, and then `is_over`.

        With what the queue says of their end, and for how many seconds they are missing.
        """
        own = [state for state in listed if state.job == record.job]
        if any(state.element is None and not state.state.ended for state in own):
            self.forget(record.name)
            return
        waited = self._waited(record, unheard, {state.element for state in own if not state.state.ended})
        self._awaited[record.name] = len(waited)
        if not self._is_due(record.name, max(waited.values(), default=-1.0)):
            return
        listing = {state.element: state for state in own}
        unknown = JobState(job=record.job, state=State.UNKNOWN)
        for element, seconds in waited.items():
            yield element, listing.get(element) or listing.get(None) or unknown, seconds

    def _waited(
        self, record: BatchRecord, unheard: Sequence[int], alive: Collection[int | None]
    ) -> Mapping[int, float]:
        """The elements that were not listed for too long, and for how many seconds."""
        now, waited = time.monotonic(), {}
        for element in unheard:
            if element in alive:
                self._since.pop((record.name, element), None)
                continue
            seconds = now - self._since.setdefault((record.name, element), now)
            if seconds >= min(self.patience_s, self.late_s):
                waited[element] = seconds
        return waited

    def _is_due(self, name: str, longest_s: float) -> bool:
        """Whether the accounting is to be asked: at growing intervals, and before an element is given up."""
        now = time.monotonic()
        again, after_s = self._asked.get(name, (now, self.patience_s))
        if longest_s < 0 or (longest_s < self.late_s and now < again):
            return False
        self._asked[name] = (now + after_s, 2 * after_s)
        return True

    def is_over(self, name: str, state: JobState, seconds: float) -> bool:
        """Whether an element has left no more to be waited for, by what is known of its end."""
        died = state.state not in {State.SUCCEEDED, State.UNKNOWN} or bool(state.exit_code)
        over = died or seconds >= self.late_s
        if over and name in self._awaited:
            self._awaited[name] -= 1
        return over

    def told(self) -> str:
        """What is waited for, in a line."""
        count = sum(self._awaited.values())
        if not count:
            return ""
        are = "1 element has" if count == 1 else f"{count:,} elements have"
        return f"{are} left the queue, and no file shows yet how: looking for it for up to {self.late_s:g} s"

    def forget(self, name: str) -> None:
        """Nothing of this submission is missing."""
        self._since = {place: since for place, since in self._since.items() if place[0] != name}
        self._asked.pop(name, None)
        self._awaited.pop(name, None)


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
