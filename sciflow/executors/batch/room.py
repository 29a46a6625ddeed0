"""What a run may take of a place at once, where that is counted here and not by a batch system."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from sciflow.core.graph import Resources
from sciflow.core.job import Job
from sciflow.errors import ConfigError
from sciflow.executors.batch.record import BatchRecord, Stage
from sciflow.executors.capacity import Capacity, Share
from sciflow.executors.executor import Lost, Offer


class Held(msgspec.Struct, frozen=True, eq=False):
    """Tasks of a job that were handed over and for which there is no room yet."""

    job: Job
    positions: Sequence[int]


class Room:
    """Counts the elements of one executor, an earlier engine's too."""

    def __init__(self, capacity: Capacity | None) -> None:
        """Without a `capacity` there is room for everything."""
        self._capacity = capacity
        self._held: deque[Held] = deque()

    @property
    def is_counted(self) -> bool:
        """Whether there is an end to it."""
        return self._capacity is not None

    @property
    def cpus(self) -> int | None:
        """Cores in all."""
        return None if self._capacity is None else self._capacity.cpus

    def refusal(self, want: Resources, *, remaining: int, unasked: int) -> Offer | None:
        """What is to be offered where there is no room; None where there is.

        `unasked`: so many tasks are at work for an earlier engine. They need no more room, and are asked for, though
        it may be others that come.
        """
        if self._capacity is None:
            return None
        if self._held:
            return Offer(0, holds=True)
        if self._capacity.fits(want):
            return None
        if self._is_beyond(want):
            return Offer(remaining)  # to be refused
        return Offer(min(unasked, remaining), holds=not unasked and self._capacity.holds(want))

    def _is_beyond(self, want: Resources) -> bool:
        """Whether there is never so much."""
        try:
            self.check(want, "")
        except ConfigError:
            return True
        return False

    def check(self, want: Resources, who: str) -> None:
        """Whether there could ever be room.

        Raises:
            ConfigError: there is never so much.
        """
        if self._capacity is not None:
            self._capacity.check(want, who)

    def take(self, want: Resources) -> tuple[int, ...]:
        """Counts an element; the numbers of its GPUs."""
        return () if self._capacity is None else self._capacity.take(want)

    def adopted(self, record: BatchRecord) -> list[Share]:
        """Counts the elements of an earlier engine's submission, as long as they may be at work."""
        if self._capacity is None or record.stage is Stage.OVER:
            return []
        shares = filter(None, map(record.share, range(len(record.elements))))
        return [Share(share.resources, self._capacity.take(share.resources, share.gpus)) for share in shares]

    def give(self, shares: Iterable[Share]) -> None:
        """What elements have held is free again."""
        if self._capacity is not None:
            for share in shares:
                self._capacity.give(share.resources, share.gpus)

    # --- what waits

    def hold(self, job: Job, positions: Sequence[int]) -> bool:
        """Keeps tasks until there is room; False if there is."""
        want = job.need.resources
        if self._capacity is None or self._is_beyond(want) or (not self._held and self._capacity.fits(want)):
            return False
        self._held.append(Held(job, positions))
        return True

    def due(self) -> Iterator[Held]:
        """Tasks for which there is room by now; each is to be counted before the next is asked for."""
        while self._held and self._capacity is not None and self._capacity.fits(self._held[0].job.need.resources):
            yield self._held.popleft()

    def taken_back(self, jobs: AbstractSet[int] | None = None) -> list[Lost]:
        """Tasks of these jobs, or all, that wait here no more."""
        found = [held for held in self._held if jobs is None or held.job.id in jobs]
        self._held = deque(held for held in self._held if held not in found)
        return [Lost(numbers=list(map(held.job.number, held.positions))) for held in found]
