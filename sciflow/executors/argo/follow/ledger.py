"""What an engine waits for, against what is known to have ended. Pure.

Both come in any order: a run goes on without its engine, which asks late, and of attempts that it counts by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from sciflow.core.records import Phase
from sciflow.executors.argo.follow.news import Ends
from sciflow.executors.executor import Ended


class _Asked(msgspec.Struct, frozen=True):
    """An attempt that the engine waits for, and the number by which it speaks of it."""

    attempt: int
    number: int


class _Known(msgspec.Struct, frozen=True):
    """An end that nobody has asked for yet. One that was there when this engine began may be of an earlier attempt."""

    attempt: int
    ended: Ended
    fresh: bool

    def answers(self, asked: int) -> bool:
        """Whether it is what has become of an attempt; a pod that replaces a lost one counts from 1 again."""
        return self.attempt == asked or self.fresh or self.ended.reply.phase == Phase.SUCCEEDED.value


class Ledger:
    """The tasks of one run."""

    def __init__(self) -> None:
        self._asked: dict[str, dict[int, _Asked]] = {}  # by path and slice; of no path none
        self._known: dict[tuple[str, int], list[_Known]] = {}
        self._heard: set[tuple[str, int, str, int]] = set()  # ends, by path, slice, worker and attempt
        self._up_to_date = False

    @property
    def up_to_date(self) -> bool:
        """Whether all is known that had ended before this engine began; what is heard after that is fresh."""
        return self._up_to_date

    def catch_up(self) -> None:
        """It is."""
        self._up_to_date = True

    @property
    def paths(self) -> Collection[str]:
        """The nodes of which tasks are waited for."""
        return self._asked.keys()

    def number(self, path: str) -> int:
        """That of one of the tasks of a node that are waited for."""
        return next(iter(self._asked[path].values())).number

    def ask(self, path: str, slice_: int, *, attempt: int, number: int) -> Iterator[Ended]:
        """Waits for an attempt; its end, if it is known."""
        self._asked.setdefault(path, {})[slice_] = _Asked(attempt, number)
        yield from self._met(path, slice_)

    def hear(self, news: Ends) -> Iterator[Ended]:
        """Takes what a pod has left; the ends that are waited for."""
        path, last = news.path, {end.slice: end.attempt for end in news.ends}
        for end in news.ends:
            if (mark := (path, end.slice, end.worker, end.attempt)) in self._heard:
                continue
            self._heard.add(mark)
            report = Ended(
                reply=end.told,
                worker=end.worker,
                stdout_start=end.stdout_start,
                stderr_start=end.stderr_start,
                followed=news.again or end.attempt < last[end.slice],
            )
            known = _Known(end.attempt, report, fresh=self._up_to_date)
            self._known.setdefault((path, end.slice), []).append(known)
            yield from self._met(path, end.slice)

    def drop(self, path: str, slices: Iterable[int] | None = None) -> list[int]:
        """Waits no more for tasks of a node, for all without `slices`; their numbers."""
        asked = self._asked.get(path, {})
        numbers = [asked.pop(i).number for i in list(asked if slices is None else slices) if i in asked]
        if not asked:
            self._asked.pop(path, None)
        return numbers

    def drop_all(self, paths: Iterable[str]) -> list[int]:
        """The same of all tasks of several nodes."""
        return [number for path in list(paths) for number in self.drop(path)]

    def _met(self, path: str, slice_: int) -> Iterator[Ended]:
        """The end of the attempt that is asked for, if it is known."""
        asked = self._asked.get(path, {}).get(slice_)
        if asked is None:
            return
        known = self._known.get((path, slice_), [])
        found = next((one for one in known if one.answers(asked.attempt)), None)
        if found is not None:
            self.drop(path, [slice_])
            known.remove(found)
            reply = msgspec.structs.replace(found.ended.reply, number=asked.number)
            yield msgspec.structs.replace(found.ended, reply=reply)
