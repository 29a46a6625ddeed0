"""Submissions that have ended: let go once all that they came to is in the run's records, and not before.

An engine that dies between hearing of an end and writing it down would else leave a record by which nobody asks again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.executors.batch.record import BatchRecord, Stage, write_record


class Farewell:
    """The submissions of one executor that are over."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._over: dict[str, BatchRecord] = {}
        self._told: AbstractSet[str] = frozenset()

    def over(self, record: BatchRecord) -> None:
        """All elements of a submission have ended."""
        self._over[record.name] = record

    def told(self, early: AbstractSet[str]) -> None:
        """The engine has all reports of them now, but for submissions of which some wait here for being asked for."""
        self._told = self._over.keys() - early if self._over else frozenset()

    def let_go(self) -> None:
        """What the engine was told is written down by now; while the disk is full, that is noted with the next call."""
        for name in self._told:
            with suppress(OSError):  # of one that is not let go no more is lost than time to ask for it again
                write_record(self._root, msgspec.structs.replace(self._over[name], stage=Stage.ENDED))
                del self._over[name]
        self._told = frozenset()
