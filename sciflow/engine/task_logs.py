"""What tasks printed. A worker's log is one file; the database says which part of it belongs to which task."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from sciflow.engine.replica import Replica
from sciflow.engine.rows import NodeRow, TaskRow
from sciflow.errors import RunError

BLOCK = 1 << 16  # bytes read at once from the end of a log
MOST_TAIL = 1 << 20  # bytes that the last lines may take: a line may be as long as the log
STREAMS = ("out", "err")


def read_log(replica: Replica, path: str | None, *, stream: str, tail: int | None) -> str:
    """The log of a task, of all tasks of a node, or (without a path) of all that failed.

    Args:
        stream: "out", "err" or "both" (first standard output, then standard error).
        tail: only so many lines from the end of each part; a long log is not read as a whole then.

    Raises:
        RunError: no such task, or no such stream.
    """
    if stream not in {*STREAMS, "both"}:
        raise RunError(f"no stream {stream!r}; there are: out, err, both")
    streams = STREAMS if stream == "both" else (stream,)
    parts = []
    for title, row in _rows(replica, path):
        texts = [_part(replica.root, row, which, tail) for which in streams]
        parts.append((title, "".join(texts)))
    if len(parts) == 1:
        return parts[0][1]
    return "".join(f"==> {title} <==\n{_ended(text)}" for title, text in parts if text)


def _rows(replica: Replica, path: str | None) -> Iterator[tuple[str, TaskRow]]:
    reader = replica.reader
    if path is None:
        by_id = {row.id: row for row in replica.nodes.values()}
        for task in reader.failed(100):
            yield _title(by_id[task.node], task), task
        return
    row, slice_ = replica.find(path)
    ended = reader.tasks(row.id, slice_=slice_)
    for task in ended:
        earlier = reader.attempts(row.id, task.slice)
        for attempt in earlier:
            yield f"{_title(row, task)}, attempt {attempt.attempt}", attempt
        yield _title(row, task), task
    if not ended and slice_ is not None:
        for attempt in reader.attempts(row.id, slice_):
            yield f"{_title(row, attempt)}, attempt {attempt.attempt}", attempt


def _title(row: NodeRow, task: TaskRow) -> str:
    return row.path if task.slice < 0 else f"{row.path}/{task.slice}"


def _part(root: Path, task: TaskRow, stream: str, tail: int | None) -> str:
    start, end = task.stdout if stream == "out" else task.stderr
    path = root / "logs" / f"{task.worker}.{stream}"
    if end <= start or not task.worker or not path.exists():
        return ""
    data = _last_lines(path, start, end, tail) if tail is not None else _whole(path, start, end)
    return data.decode(errors="replace")


def _whole(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _last_lines(path: Path, start: int, end: int, lines: int) -> bytes:
    blocks: deque[bytes] = deque()
    at, breaks = end, 0
    start = max(start, end - MOST_TAIL)
    with path.open("rb") as file:
        while at > start and breaks <= lines:
            size = min(BLOCK, at - start)
            at -= size
            file.seek(at)
            blocks.appendleft(file.read(size))
            breaks += blocks[0].count(b"\n")
    return b"".join(b"".join(blocks).splitlines(keepends=True)[-lines:])


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
