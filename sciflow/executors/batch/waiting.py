"""Elements that are still to be sent: what goes together, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from sciflow.core.job import Need
from sciflow.executors.containers.launch import Launch
from sciflow.executors.request import Element, taken_back


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What elements of one submission have in common. A fan that runs so many slices at once has its own."""

    need: Need
    level: int  # of what a retry asks for
    launch: Launch | None = None
    fan: str = ""
    at_once: int | None = None


class Waiting:
    """Elements in the order in which they came.

    Of a fan that is not to have more than so many slices at work, all are sent in one submission, which its batch
    system holds to that number. While elements of it are on their way, in another submission, only as many go as
    the number leaves even if all of those are at work: a retry does not add to what runs.
    """

    def __init__(self) -> None:
        self._rows: dict[Kind, list[Element]] = {}
        self.fresh = False  # something has come since `due`

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    @property
    def throttled(self) -> int:
        """Those of fans that run only so many at once."""
        return sum(len(row) for kind, row in self._rows.items() if kind.at_once is not None)

    def put(self, kind: Kind, elements: Sequence[Element]) -> None:
        """They are to be sent."""
        self._rows.setdefault(kind, []).extend(elements)
        self.fresh = True

    def due(
        self, *, most: Callable[[Need], int | None], at_work: Callable[[str], int]
    ) -> Iterator[tuple[Kind, Sequence[Element]]]:
        """What is to be sent now, a submission each.

        Args:
            most: elements that a submission may have.
            at_work: elements of a fan that are on their way; counts what was given before.
        """
        self.fresh = False
        for kind, row in list(self._rows.items()):
            while count := self._count(kind, len(row), most(kind.need), at_work):
                part = row[:count]
                del row[:count]
                yield kind, part
            if not row:
                del self._rows[kind]

    def _count(self, kind: Kind, there: int, most: int | None, at_work: Callable[[str], int]) -> int:
        """How many may go in one submission."""
        count = there if most is None else min(most, there)
        busy = at_work(kind.fan) if kind.at_once is not None else 0
        return count if kind.at_once is None or not busy else max(0, min(count, kind.at_once - busy))

    def taken_back(self, jobs: AbstractSet[int] | None = None) -> list[Element]:
        """Those of some jobs, or all, which are not to be sent any more."""
        if jobs is not None:
            return taken_back(self._rows, jobs)
        everything = [element for row in self._rows.values() for element in row]
        self._rows.clear()
        return everything
