"""`host survey`: what is new of all batches of a run on this machine, in one answer.

A line of JSON, then the bytes of the sections that it lists. What an element has printed and stored comes before the
replies that speak of it, so that an answer that is cut at its limit is whole as far as it goes.
"""

from __future__ import annotations

import os
import sys

from sciflow.runner.exit_codes import CANNOT_WRITE
from sciflow.runner.last_words import end_of
from sciflow.runner.presence import AWAY, absence_of
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, Sequence

    Tree = Any

REPLIES, OUT, ERR, PACK = range(4)  # kinds of sections, and places in an element's offsets
LIMIT_BYTES = 16 << 20
NO_CODE = 255
LINE_BYTES = 1 << 20  # how far back the end of the last whole line is looked for at once


class Answer:
    """The sections of an answer, as long as there is room."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.more = False
        self._sections: list[tuple[str, int, int]] = []

    def add(self, file: str, at: int, size: int) -> None:
        """Take part of a file in."""
        self._sections.append((file, at, size))
        self.left -= size

    def write(self, head: Tree) -> None:
        """Write it all."""
        out = sys.stdout.buffer
        out.write(dump(head).encode() + b"\n")
        for section in self._sections:
            for data in _part(*section):
                out.write(data)
        out.flush()


def _opened(file: str) -> int:
    """A file to read; an element that ends meanwhile takes its replies from `live` to `done`."""
    folder, part, name = file.rsplit("/", 2)
    for place in (part, "done", "taken") if part == "live" else (part,):
        try:
            return os.open(f"{folder}/{place}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # noqa: PERF203  most often the first one is there
            continue
    raise OSError(f"{file} is gone")


def _part(file: str, at: int, size: int) -> Iterator[bytes]:
    fd = _opened(file)
    try:
        end = at + size
        while at < end:
            data = os.pread(fd, min(end - at, LINE_BYTES), at)
            if not data:
                raise OSError(f"{file} is shorter than it was a moment ago")
            yield data
            at += len(data)
    finally:
        os.close(fd)


def survey(request: Tree) -> None:
    """Answer with everything that is new."""
    queue = None
    if request.get("queue"):  # first: what has left the queue by then has left its marks
        from sciflow.runner.queue_answer import queue_answer

        queue = queue_answer(request["queue"], request.get("work_root"))
    answer = Answer(request.get("limit", LIMIT_BYTES))
    mirror = request.get("mirror", True)
    batches = [_batch(batch, answer, mirror=mirror) for batch in request["batches"]]
    answer.write({"queue": queue, "batches": batches})


def _batch(asked: Tree, answer: Answer, *, mirror: bool) -> Tree:
    folder = asked["dir"]
    absence = absence_of(folder)
    if absence:
        away = absence == AWAY
        return {"dir": folder, "gone": True, "away": away, "died": {}, "said": {}, "elements": {}, "more": False}
    for number in asked.get("taken", ()):
        _acknowledge(folder, number)
    live = _numbers(f"{folder}/live")  # listed first: one that ends now is seen twice, and not never
    done = _numbers(f"{folder}/done")
    # an element may have been read and acknowledged before its script looked whether it has ended in order
    died = _numbers(f"{folder}/died") - done
    died -= _numbers(f"{folder}/taken") if died else set()
    answer.more = False
    if asked.get("from_start"):  # an engine that has died knew of these, the one that asks does not
        done |= _numbers(f"{folder}/taken")
    elements: dict[str, Tree] = {}
    offsets = asked.get("offsets") or {}
    for number in [*sorted(done), *sorted(live - done)]:
        if answer.more and answer.left <= 0:
            break
        known = offsets.get(str(number)) or (0, 0, 0, 0)
        elements[str(number)] = _element(folder, number, known, answer, done=number in done, mirror=mirror)
    return {
        "dir": folder,
        "gone": False,
        "away": False,
        "died": {str(number): _code(f"{folder}/died/{number}") for number in sorted(died)},
        "said": {str(number): end_of(f"{folder}/out/{number // asked.get('workers', 1)}") for number in died},
        "elements": elements,
        "more": answer.more,
    }


def _acknowledge(folder: str, number: int) -> None:
    """Put what an element has left out of the way: nobody looks at it again."""
    os.makedirs(f"{folder}/taken", exist_ok=True)
    for part, suffix in (("done", ""), ("live", ""), ("died", ".died")):
        if os.path.exists(f"{folder}/{part}/{number}"):
            os.rename(f"{folder}/{part}/{number}", f"{folder}/taken/{number}{suffix}")


def _numbers(folder: str) -> set[int]:
    try:
        return {int(name) for name in os.listdir(folder) if name.isdigit()}
    except FileNotFoundError:
        return set()


def _code(file: str) -> int:
    """An exit code that was written down; a file that stayed empty could not be written to."""
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return int(text.read() or CANNOT_WRITE)
    except (OSError, ValueError):
        return NO_CODE


def _element(
    folder: str, number: int, known: Sequence[int], answer: Answer, *, done: bool, mirror: bool
) -> Mapping[str, Tree]:
    places = [f"{folder}/{part}/{number}" for part in ("done", "taken", "live")]
    replies = next((place for place in places if os.path.exists(place)), places[0])
    done = done or replies == places[0]  # it may just have ended
    end = _whole_lines(replies, known[REPLIES])
    sections: list[list[int]] = []
    whole = True
    if mirror:  # what the replies speak of was written before them, and so is there by now
        root, name = os.path.dirname(os.path.dirname(folder)), f"{os.path.basename(folder)}-{number}"
        files = {OUT: f"{root}/logs/{name}.out", ERR: f"{root}/logs/{name}.err", PACK: f"{root}/values/{name}"}
        for kind, file in files.items():
            whole = _section(sections, kind, file, (known[kind], _size(file)), answer) and whole
    if whole and end > known[REPLIES]:
        if answer.left < end - known[REPLIES]:
            end = _whole_lines(replies, known[REPLIES], known[REPLIES] + max(0, answer.left), first=True)
            answer.more = True
        _section(sections, REPLIES, replies, (known[REPLIES], end), answer, force=True)
    return {"done": done, "sections": sections}


def _section(
    sections: list[list[int]], kind: int, file: str, extent: tuple[int, int], answer: Answer, *, force: bool = False
) -> bool:
    """Take a part of a file into the answer; whether all of it found room."""
    at, end = extent
    size = end - at if force else min(end - at, max(0, answer.left))
    if size > 0:
        sections.append([kind, at, size])
        answer.add(file, at, size)
    if size < end - at:
        answer.more = True
        return False
    return True


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except FileNotFoundError:
        return 0


def _whole_lines(file: str, start: int, limit: int | None = None, *, first: bool = False) -> int:
    """Where the last whole line ends that ends before `limit`; with `first`, of at least one line, however long."""
    fd = _opened(file)
    try:
        end = at = os.fstat(fd).st_size if limit is None else limit
        while at > start:
            at = max(start, at - LINE_BYTES)
            found = os.pread(fd, min(LINE_BYTES, end - at), at).rfind(b"\n")
            if found >= 0:
                return at + found + 1
            end = at
        if first:
            return _first_line(fd, start)
        return start
    finally:
        os.close(fd)


def _first_line(fd: int, start: int) -> int:
    at = start
    while True:
        data = os.pread(fd, LINE_BYTES, at)
        found = data.find(b"\n")
        if found >= 0 or not data:
            return at + found + 1 if data else start
        at += len(data)
