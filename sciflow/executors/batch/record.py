"""What is written down of a submission, so that another engine finds its jobs again.

A record lies in the run folder, `batches/<name>/record.json`. Tasks are named by path and attempt, which outlive the
engine; the numbers are those that the jobs on the host use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from pathlib import Path

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.capacity import Share
from sciflow.executors.whole_files import put_whole, sync

FOLDER = "batches"
RECORD = "record.json"
CLEARED = "cleared.json"  # beside the submissions: those whose files on the host were removed
CLEARING = "clearing.json"  # and those of which that was begun


class Stage(Enum):
    """How far a submission has come."""

    PACKED = "packed"  # nothing has left this machine
    SENT = "sent"  # all of it is on the host; the batch system may have it
    SUBMITTED = "submitted"
    OVER = "over"  # all elements have ended; what they came to may not all be in the run's records
    ENDED = "ended"  # nothing more will come of it


class TaskName(msgspec.Struct, frozen=True, array_like=True):
    """A task of an element: the number under which the host speaks of it, and what it is."""

    number: int
    path: str
    attempt: int


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One submission: an array job of `len(elements)` elements, each a row of tasks."""

    name: str  # unique over all runs and attempts
    executor: str
    stage: Stage = Stage.PACKED
    job: str = ""  # the batch system's id
    place: str = ""  # the batch system, host and folder that it went to, as people read it
    elements: tuple[tuple[TaskName, ...], ...] = ()
    memory_mb: int = 0  # what an element asked for
    walltime_s: float | None = None
    grows: bool = False  # another attempt asks for more
    workers: int = 1  # elements that one job runs at once: a crew
    withdrawn: tuple[int, ...] = ()  # elements that the run has taken back: out of the queue, or ended
    counted: Resources | None = None  # of an element, where it is counted against what there is
    gpus: tuple[tuple[int, ...], ...] = ()  # numbers of those that each element has, where they are given by number

    def share(self, element: int) -> Share | None:
        """What an element takes of what is counted."""
        if self.counted is None:
            return None
        return Share(resources=self.counted, gpus=self.gpus[element] if self.gpus else ())

    def crew(self, element: int) -> range:
        """The elements that are run by the same job of the batch system."""
        first = element - element % self.workers
        return range(first, min(first + self.workers, len(self.elements)))

    def worker(self, element: int) -> str:
        """The name of an element's log files and pack."""
        return f"{self.name}-{element}"


def write_record(root: Path, record: BatchRecord) -> None:
    """Writes a record down, whole or not at all; past a loss of power, if jobs would be submitted twice without it."""
    folder = root / FOLDER / record.name
    folder.mkdir(parents=True, exist_ok=True)
    lasting = record.stage in {Stage.SENT, Stage.SUBMITTED}
    put_whole(folder / RECORD, msgspec.json.encode(record), lasting=lasting)
    if lasting:  # so are the names of its folders
        sync(folder.parent)
        sync(root)


def read_records(root: Path, executor: str) -> Sequence[BatchRecord]:
    """The submissions of an executor of which something may still come, oldest first."""
    open_ = {Stage.SENT, Stage.SUBMITTED, Stage.OVER}
    return [record for record in read_all(root) if record.executor == executor and record.stage in open_]


def batch_names(root: Path, executors: Sequence[str]) -> frozenset[str]:
    """All submissions of some executors, ended ones too."""
    return frozenset(record.name for record in read_all(root) if record.executor in executors)


def executors_of(root: Path) -> dict[str, str]:
    """The executor of each submission of a run."""
    return {record.name: record.executor for record in read_all(root)}


def open_records(root: Path) -> Sequence[BatchRecord]:
    """The submissions of a run, of all executors, of which jobs may still be queued or running."""
    return [record for record in read_all(root) if record.stage in {Stage.SENT, Stage.SUBMITTED}]


def is_open(root: Path) -> bool:
    """Whether jobs of a run may still be queued or running."""
    return bool(open_records(root))


def close_records(root: Path, names: Collection[str]) -> None:
    """Writes down that nothing more will come of submissions."""
    for record in list(read_all(root)):
        if record.name in names and record.stage is not Stage.ENDED:
            write_record(root, msgspec.structs.replace(record, stage=Stage.ENDED))


def read_cleared(root: Path) -> frozenset[str]:
    """The submissions whose files on the host were removed, or may have been."""
    return read_removed(root) | _read_names(root / FOLDER / CLEARING)


def read_removed(root: Path) -> frozenset[str]:
    """Those whose files on the host were removed for sure: none is left to be removed."""
    return _read_names(root / FOLDER / CLEARED)


def begin_clearing(root: Path, names: Collection[str]) -> None:
    """Writes down that the files of submissions are about to be removed from their host: nobody relies on them."""
    _write_names(root / FOLDER / CLEARING, {*_read_names(root / FOLDER / CLEARING), *names})


def end_clearing(root: Path, names: Collection[str], *, removed: bool) -> None:
    """Writes down that the files of submissions are gone from their host, or that all of them are still there."""
    if removed:
        _write_names(root / FOLDER / CLEARED, {*read_removed(root), *names})
    _write_names(root / FOLDER / CLEARING, _read_names(root / FOLDER / CLEARING).difference(names))


def _read_names(path: Path) -> frozenset[str]:
    return frozenset(msgspec.json.decode(path.read_bytes(), type=list[str])) if path.exists() else frozenset()


def _write_names(path: Path, names: Collection[str]) -> None:
    put_whole(path, msgspec.json.encode(sorted(names)), lasting=True)


def read_all(root: Path) -> Iterator[BatchRecord]:
    """Every submission of a run, the one first of which nothing was heard for longest."""
    for path in sorted((root / FOLDER).glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime_ns):
        yield msgspec.json.decode(path.read_bytes(), type=BatchRecord)
