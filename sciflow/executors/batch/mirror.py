"""Reads the answer to a survey: brings logs and values home, and tells what elements have said.

Logs and packs of an element only grow, so that what is missing here is what lies behind the end of the file here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from sciflow.core.records import Loaded, Progress, Reply
from sciflow.executors.batch.record import BatchRecord

REPLIES, OUT, ERR, PACK = range(4)


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """The task that the end of an element has cut short, and how long it had run."""

    number: int
    seconds: float


class ClosingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How an element came to its end."""

    left: tuple[int, ...] = ()
    why: str = ""  # "time": that of the allocation was over
    cut: Cut | None = None
    host: str = ""
    seconds: float = 0.0


class Closing(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The last line of an element."""

    facts: ClosingFacts


class Garbled(msgspec.Struct, frozen=True, kw_only=True):
    """A line that makes no sense, as after a disk was full or a file system was damaged; and why not."""

    text: str
    why: str


class QueueAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the batch system's command said."""

    code: int
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False


class ElementNews(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of an element: the parts of its files in the answer."""

    sections: tuple[tuple[int, int, int], ...] = ()  # which file, from where, how many bytes


class BatchNews(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of a submission."""

    dir: str
    gone: bool = False  # its folder is not there
    away: bool = False  # nor is that of all runs
    died: dict[str, int] = {}
    said: dict[str, str] = {}  # the end of what the scripts of those have printed
    elements: dict[str, ElementNews] = {}
    more: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The head of the answer."""

    queue: QueueAnswer | None = None
    batches: tuple[BatchNews, ...] = ()


_Said: TypeAlias = Reply | Progress | Loaded | Closing
Line: TypeAlias = _Said | Garbled
_LINES = msgspec.json.Decoder(list[_Said])
_LINE: msgspec.json.Decoder[_Said] = msgspec.json.Decoder(_Said)
SHOWN = 100  # bytes of a line that makes no sense


class Place(msgspec.Struct, kw_only=True, eq=False):
    """How far what an element has said is known."""

    replies: int = 0
    seen: bool = False  # it has begun
    closed: bool = False


_NOWHERE = Place()


class Mirror:
    """The growing files of the elements on a host, and their likeness in the run folder."""

    def __init__(self, root: Path, *, here: bool) -> None:
        """`here`: they are in the run folder already."""
        self._root = root
        self._here = here
        self._places: dict[tuple[str, int], Place] = {}

    def place(self, batch: str, element: int) -> Place:
        """How far an element is known."""
        return self._places.setdefault((batch, element), Place())

    def offsets(self, record: BatchRecord, *, from_start: bool) -> dict[str, list[int]]:
        """What is known of the elements that have begun and have not ended.

        `from_start`: of all, since the answer tells of all, also of those that an engine before this one knew of.
        """
        places = ((k, self._places.get((record.name, k), _NOWHERE)) for k in range(len(record.elements)))
        return {
            str(k): self._known(record, k, place)
            for k, place in places
            if from_start or (place.seen and not place.closed)
        }

    def _known(self, record: BatchRecord, element: int, place: Place) -> list[int]:
        sizes = [0, 0, 0] if self._here else [_size(path) for path in self._files(record, element)]
        return [place.replies, *sizes]

    def _files(self, record: BatchRecord, element: int) -> tuple[Path, Path, Path]:
        worker = record.worker(element)
        logs = self._root / "logs"
        return logs / f"{worker}.out", logs / f"{worker}.err", self._root / "values" / worker

    def take(
        self, record: BatchRecord, news: BatchNews, body: memoryview
    ) -> tuple[Sequence[tuple[int, Sequence[Line]]], int]:
        """What the elements of a submission have said; and how much of `body` was this submission's.

        Raises:
            OSError: there is no room here: nothing counts as known yet, and all of it is asked for again.
        """
        parts, at = list[tuple[int, int, int, memoryview]](), 0
        for name, element in news.elements.items():
            for which, offset, size in element.sections:
                parts.append((int(name), which, offset, body[at : at + size]))
                at += size
        for k, which, offset, part in parts:  # first: with no room for one of them no line of any may be lost
            if which != REPLIES:
                _put(self._files(record, k)[which - OUT], offset, part)
        told: dict[int, Sequence[Line]] = dict.fromkeys(map(int, news.elements), ())
        for k in told:
            self.place(record.name, k).seen = True
        for k, which, offset, part in parts:
            if which == REPLIES:
                told[k] = self._lines(self.place(record.name, k), offset, part)
        return list(told.items()), at

    def _lines(self, place: Place, offset: int, part: memoryview) -> Sequence[Line]:
        """The whole lines of what is new; the rest comes with the next answer."""
        data = bytes(part)[place.replies - offset :]
        whole = data[: data.rfind(b"\n") + 1]
        place.replies += len(whole)
        return lines_of(whole)

    def forget(self, record: BatchRecord) -> None:
        """Nothing more will come of a submission."""
        for k in range(len(record.elements)):
            self._places.pop((record.name, k), None)


def lines_of(whole: bytes) -> Sequence[Line]:
    """What an element has written, by lines."""
    if not whole:
        return ()
    texts = whole.rstrip(b"\n").split(b"\n")
    try:
        return _LINES.decode(b"[" + b",".join(texts) + b"]")
    except ValueError:  # msgspec raises more than its own: what is no UTF-8 is a UnicodeDecodeError
        return [_line(text) for text in texts]


def _line(text: bytes) -> Line:
    try:
        return _LINE.decode(text)
    except ValueError as error:
        return Garbled(text=text[:SHOWN].decode(errors="replace"), why=str(error))


def split(stdout: bytes) -> tuple[bytes, memoryview]:
    """The head of an answer, and the bytes behind it."""
    head, _, _ = stdout.partition(b"\n")
    return head, memoryview(stdout)[len(head) + 1 :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _put(path: Path, offset: int, part: memoryview) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while part:
            written = os.pwrite(fd, part, offset)
            part, offset = part[written:], offset + written
    finally:
        os.close(fd)
