"""The standard streams of a worker: its log files, kept whole whatever an op does to them."""

from __future__ import annotations

import errno
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


class Logs:
    """Standard output and error, by line, so that lines of Python, of C and of child processes keep their order."""

    def __init__(self) -> None:
        self._files = tuple(os.dup(fd) for fd in (1, 2))
        self._inodes = (os.fstat(1).st_ino, os.fstat(2).st_ino)
        self.sizes = (0, 0)  # of the log files after the last slice
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
        try:
            self._flush()
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            self._put_back()  # an op has closed the descriptor under what was still to be written
            self._flush()

    def _flush(self) -> None:
        if self._flush_c is not None:
            self._flush_c(None)
        out, err = self._streams
        if sys.stdout is not out:
            _flush_foreign(sys.stdout)
        if sys.stderr is not err:
            _flush_foreign(sys.stderr)
        if not out.closed:
            out.flush()
        if not err.closed:
            err.flush()

    def restore(self) -> None:
        """Put the streams and their descriptors back in their places, and note how long the files are."""
        try:
            first, second = os.fstat(1), os.fstat(2)
            moved = first.st_ino != self._inodes[0] or second.st_ino != self._inodes[1]
        except OSError:
            moved = True
        if moved:
            self._put_back()
            first, second = os.fstat(1), os.fstat(2)
        self.sizes = (first.st_size, second.st_size)
        self._restore_streams()

    def _restore_streams(self) -> None:
        out, err = self._streams
        if sys.stdout is not out or sys.stderr is not err or out.closed or err.closed:
            self._streams = (_stream(1) if out.closed else out, _stream(2) if err.closed else err)
            sys.stdout, sys.stderr = self._streams
        if sys.stdin is not self._input:
            sys.stdin = self._input

    def _put_back(self) -> None:
        for file, fd in zip(self._files, (1, 2)):
            os.dup2(file, fd)


def _stream(fd: int) -> io.TextIOWrapper:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush_foreign(stream: Any) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        stream.flush()
    except Exception:  # noqa: BLE001, S110  whatever the user has put there
        pass
