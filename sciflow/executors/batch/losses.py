"""Submissions whose folders a host does not show: believed removed after several looks, their jobs cancelled before.

A network file system may not show a folder for a moment. Tasks that are handed out again while their jobs go on would
run twice; so they are not, until the batch system says that nothing of the submission is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.opened import Open
from sciflow.executors.systems.system import JobState

LOOKS = 3  # at least, and over the patience
CANCEL_S = 30.0


class Absence(msgspec.Struct, kw_only=True, eq=False):
    """Since when a folder was not seen."""

    since: float
    looks: int = 0
    cancelled: bool = False


class Losses:
    """What is not to be seen of one ward's submissions."""

    def __init__(self, handover: Handover, *, patience_s: float) -> None:
        self._handover = handover
        self._patience_s = patience_s
        self._absent: dict[str, Absence] = {}

    def seen(self, name: str) -> None:
        """A submission's folder is there, or nobody asks for it any more."""
        self._absent.pop(name, None)

    def believed(self, name: str) -> bool:
        """Notes that a folder is not there; whether that was so on several looks over a while."""
        absence = self._absent.setdefault(name, Absence(since=time.monotonic()))
        absence.looks += 1
        return absence.looks >= LOOKS and time.monotonic() - absence.since >= self._patience_s

    def is_ending(self, name: str) -> bool:
        """Whether a submission is taken for lost and its jobs are cancelled; one of them may still make a folder."""
        return name in self._absent and self._absent[name].cancelled

    def is_lost(self, batch: Open, states: Sequence[JobState] | None) -> bool:
        """Whether a folder that is not there was removed, and nothing of the submission is at work any more."""
        if not self.is_ending(batch.record.name) and not self.believed(batch.record.name):
            return False
        job, absence = batch.record.job, self._absent[batch.record.name]
        if not job:
            return True
        at_work = states is None or any(state.job == job and not state.state.ended for state in states)
        if absence.cancelled and not at_work:
            return True
        command = self._handover.system.cancel([job])
        command.parse(self._handover.depot.run(command.argv, timeout_s=CANCEL_S))
        absence.cancelled = True
        return False

    def told(self) -> str:
        """What is waited for, in a line."""
        if not self._absent:
            return ""
        first = next(iter(self._absent))
        more = f" and {len(self._absent) - 1} more" if len(self._absent) > 1 else ""
        return (
            f"{self._handover.folder(first)}{more} is not there: looking for up to {self._patience_s:g} s before it is "
            "taken for removed"
        )
