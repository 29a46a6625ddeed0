"""The standard streams of a worker: its log files, kept whole whatever an op does to them."""

from __future__ import annotations

import contextlib
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class Logs:
    """Standard output and error, by line, so that lines of Python, of C and of child processes keep their order."""

    def __init__(self) -> None:
        self._stdin = os.dup(0)
        self._files = tuple(os.dup(fd) for fd in (1, 2))
        self._inodes = (os.fstat(1).st_ino, os.fstat(2).st_ino)
        self._flush_c: Callable[[None], Any] | None = None
        self._streams = (_stream(1), _stream(2))
        self._input = sys.stdin
        sys.stdout, sys.stderr = self._streams
        sys.__stdout__, sys.__stderr__ = self._streams  # type: ignore[misc]

    def watch_c(self) -> None:
        """Flush C's own buffers too from now on: an extension module that may print has been loaded."""
        if self._flush_c is None:
            import ctypes

            self._flush_c = ctypes.CDLL(None).fflush

    def flush(self) -> None:
        """Write what Python and C still hold.

        Raises:
            OSError: there is no room.
        """
        if self._flush_c is not None:
            self._flush_c(None)
        for stream, own in ((sys.stdout, self._streams[0]), (sys.stderr, self._streams[1])):
            if stream is not own:
                _flush_foreign(stream)
            if not own.closed:
                own.flush()

    def restore(self) -> None:
        """Put the streams back in their places."""
        out, err = self._streams
        if sys.stdout is not out or sys.stderr is not err or out.closed or err.closed:
            self._streams = (_stream(1) if out.closed else out, _stream(2) if err.closed else err)
            sys.stdout, sys.stderr = self._streams
        if sys.stdin is not self._input:
            sys.stdin = self._input

    def ends(self) -> tuple[int, int]:
        """The sizes of both log files; a descriptor that an op has closed or turned elsewhere is put back."""
        out, err = self._inodes
        try:
            first, second = os.fstat(1), os.fstat(2)
        except OSError:
            return self._put_back()
        if first.st_ino != out or second.st_ino != err:
            return self._put_back()
        return first.st_size, second.st_size

    def _put_back(self) -> tuple[int, int]:
        for file, fd in zip(self._files, (1, 2)):
            os.dup2(file, fd)
        return os.fstat(1).st_size, os.fstat(2).st_size


def _stream(fd: int) -> io.TextIOWrapper:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush_foreign(stream: Any) -> None:
    with contextlib.suppress(Exception):  # whatever the user has put there
        stream.flush()
