"""Tasks that have ended and whose files are still on their way."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from sciflow.core.records import Extra, Phase, TaskError
from sciflow.executors.executor import Ended


class Coming(msgspec.Struct, eq=False):
    """The end of one task."""

    end: Ended
    place: int
    paths: set[str]
    problem: str = ""

    @property
    def told(self) -> Ended:
        """How it has ended: one whose files are lost has not succeeded."""
        if not self.problem:
            return self.end
        error = TaskError(kind="place", type="sciflow:OutputLost", message=self.problem)
        failed = {"phase": Phase.ERROR.value, "output": msgspec.Raw(b"null"), "extra": Extra(error=error)}
        return msgspec.structs.replace(self.end, reply=msgspec.structs.replace(self.end.reply, **failed))


class Arrivals:
    """Which they are, and what is here already."""

    def __init__(self) -> None:
        self._coming: list[Coming] = []

    def __bool__(self) -> bool:
        return bool(self._coming)

    def expect(self, end: Ended, place: int, paths: Collection[str]) -> None:
        """The task at that place has ended, with these files."""
        self._coming.append(Coming(end, place, set(paths)))

    def brought(self, paths: Collection[str], problem: str) -> None:
        """These files are here; or they are lost, for a reason."""
        for coming in self._coming:
            if coming.paths.intersection(paths):
                coming.problem = coming.problem or problem
                coming.paths.difference_update(paths)

    def take(self) -> Iterator[tuple[int, Ended]]:
        """The tasks of which all files are here: their places, and how they have ended."""
        here = [coming for coming in self._coming if not coming.paths]
        self._coming = [coming for coming in self._coming if coming.paths]
        return ((coming.place, coming.told) for coming in here)
