"""The file of an element's replies: written by its worker, completed by the element, read again after a requeue."""

from __future__ import annotations

import os

from sciflow.runner.file_lock import taken
from sciflow.runner.packs import write_all
from sciflow.runner.text import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

ENDED, PROGRESS, LOADED, LEFT = 0, 1, 2, 3  # the kinds of replies that matter here
BLOCK_BYTES = 1 << 20


class RepliesFile:
    """Lines of JSON; the last one may be torn when its writer died."""

    @classmethod
    def opened(cls, path: str) -> RepliesFile | None:
        """The file at `path`, made if it is not there; None if another process is at work on it."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if taken(fd):
            return cls(fd)
        os.close(fd)
        return None

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.answered: set[int] = set()  # numbers of the tasks that have ended
        self._read = 0

    def catch_up(self) -> int:
        """Read what was written since the last call; how many tasks have ended in it. A torn line is removed."""
        end, known = os.fstat(self.fd).st_size, len(self.answered)
        rest = b""
        while self._read + len(rest) < end:
            block = os.pread(self.fd, BLOCK_BYTES, self._read + len(rest))
            if not block:
                break
            whole, newline, rest = (rest + block).rpartition(b"\n")
            self._read += len(whole) + len(newline)
            for line in whole.split(b"\n"):
                if line.startswith(b"[0,"):
                    self.answered.add(int(line[3 : line.index(b",", 3)]))
        if rest:
            os.ftruncate(self.fd, self._read)
        return len(self.answered) - known

    def drop_end(self) -> None:
        """Remove the line that says that the element has ended: it goes on."""
        self.catch_up()
        tail = os.pread(self.fd, BLOCK_BYTES, max(0, self._read - BLOCK_BYTES))
        last = tail[:-1].rpartition(b"\n")[2]
        if last.startswith(b"[3,") and parse(last.decode())[0] == LEFT:
            self._read -= len(last) + 1
            os.ftruncate(self.fd, self._read)

    def say(self, reply: Tree) -> None:
        """Write a reply of the element's own."""
        write_all(self.fd, (dump(reply) + "\n").encode())

    def close(self) -> None:
        """Nothing more will be written."""
        os.close(self.fd)
