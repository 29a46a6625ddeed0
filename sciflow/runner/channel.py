"""A worker's four lines to its engine: requests, replies, the life line and the board.

The life line is a pipe of which the engine holds the only end to write to. When the engine dies, however it dies, the
kernel kills the worker's whole process group through it (Linux), or a thread that reads it does (elsewhere).
"""

from __future__ import annotations

import _thread
import mmap
import os
import struct
import sys
import time

from sciflow.runner.packs import write_all
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

READ_BYTES = 1 << 16
SIGKILL = 9
MESSAGE_LIMIT = 500  # characters of a progress message


class Requests:
    """Frames of 4 bytes of length, big-endian, and JSON."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""

    def next(self) -> Tree | None:
        """The next request, waited for; None when there will be no more."""
        head = self._take(4)
        if head is None:
            return None
        body = self._take(int.from_bytes(head, "big"))
        return None if body is None else parse(body.decode())

    def _take(self, size: int) -> bytes | None:
        if len(self._rest) < size:
            parts, found = [self._rest], len(self._rest)
            while found < size:
                data = os.read(self._fd, max(READ_BYTES, size - found))
                if not data:
                    return None
                parts.append(data)
                found += len(data)
            self._rest = b"".join(parts)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class Replies:
    """One JSON array and a newline for each reply, written at once, so that a later crash loses none."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = _thread.allocate_lock()  # an op may report progress from a thread of its own

    def send(self, line: str) -> None:
        """Write one reply, its newline included."""
        with self._lock:
            write_all(self._fd, line.encode())

    def progress(self, number: int, done: float, total: float | None, message: str) -> None:
        """How far a task is."""
        message = str(message)[:MESSAGE_LIMIT].encode(errors="replace").decode()
        reply = [1, number, _number(done), None if total is None else _number(total), message]
        self.send(dump(reply) + "\n")

    def loaded(self, op: int, identity: dict[str, str] | None, problem: Tree | None) -> None:
        """An op's code is here, or why not."""
        self.send(dump([2, op, identity, problem]) + "\n")


def _number(value: float) -> float:
    number = float(value)
    return number if abs(number) < float("inf") else 0.0


class Board:
    """A page of memory that the engine sees: the task being run (0: none) and when it began, on the monotonic clock."""

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, struct.calcsize("<Qd"))
        self._pack = struct.Struct("<Qd").pack_into
        self.began = 0.0

    def write(self, number: int) -> None:
        """Say what runs now."""
        self.began = time.monotonic()
        self._pack(self._page, 0, number, self.began)


def bind_life(fd: int) -> int:
    """Let this process and its whole group die with the engine; the descriptor of the life line from now on."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # never the group of whoever started this by hand
    return _bind_life_by_signal(fd) if sys.platform == "linux" else _bind_life_by_thread(fd)


def _bind_life_by_signal(fd: int) -> int:
    import fcntl

    # opened anew: who is told of the end is a property of the open file, which other workers may share
    own = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.close(fd)
    fcntl.fcntl(own, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(own, fcntl.F_SETSIG, SIGKILL)
    fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
    try:
        ended = os.read(own, 1) == b""
    except BlockingIOError:
        ended = False
    if ended:  # the engine died before this was arranged
        os.killpg(0, SIGKILL)
    return own


def _bind_life_by_thread(fd: int) -> int:
    _thread.start_new_thread(_wait_for_end, (fd,))
    return fd


def _wait_for_end(fd: int) -> None:
    while os.read(fd, 1):
        pass
    os.killpg(0, SIGKILL)
