"""The start of a worker process. Standard library only: the first worker starts while the engine is still imported.

It is started by `posix_spawn` as the leader of a session of its own, so that its whole process group can be ended, and
so that ctrl-C in the terminal reaches the engine alone. When the engine dies, the kernel ends the group (see
`sciflow.runner`).
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

from sciflow.runner.guard import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
BOARD_BYTES = 16  # the number of a task and a time
CHANNELS = ("requests", "replies", "life", "board")
# Appended to the path, not put first: what the user has installed must not be hidden by what lies beside sciflow.
_START = (
    "import sys; root = sys.argv.pop(1); sys.path.append(root); "
    "from sciflow.runner.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def worker_environ(cpus: int = 1) -> dict[str, str]:
    """The environment of a worker whose tasks have so many cores: that of this process, and how many threads fit."""
    return {**dict.fromkeys(THREADS, str(max(1, cpus))), **os.environ}


class Spawned:
    """A worker process that has been told nothing yet, and the engine's ends of its four channels."""

    def __init__(self, environ: Mapping[str, str], *, logs: tuple[str, str] | None = None) -> None:
        """`logs`: the files that it writes its output and errors to; those of this process until it is told, if None.

        Raises:
            OSError: no process, or no file descriptor, is to be had.
        """
        self.environ = environ
        self.mark = os.urandom(6).hex()
        requests, self.requests = os.pipe()
        self.replies, replies = os.pipe()
        life, self.life = os.pipe()
        board = _board_fd()
        self.board = mmap.mmap(board, BOARD_BYTES)
        given = (requests, replies, life, board)
        os.set_blocking(self.requests, False)
        os.set_blocking(self.replies, False)
        try:
            self.pid = _spawn(given, {**environ, MARK: self.mark}, logs)
        finally:
            for fd in given:
                os.close(fd)

    def end(self) -> None:
        """Ends it, who has done nothing."""
        with suppress(ProcessLookupError, ChildProcessError):  # where SIGCHLD is ignored nothing is left to wait for
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        for fd in (self.requests, self.replies, self.life):
            os.close(fd)
        self.board.close()


def _spawn(given: tuple[int, int, int, int], environ: Mapping[str, str], logs: tuple[str, str] | None) -> int:
    flags = [word for name, fd in zip(CHANNELS, given, strict=True) for word in (f"--{name}", str(fd))]
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    argv = [sys.executable, "-P", "-c", _START, root, "serve", *flags]
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions: list[Any] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_OPEN, fd, path, append, 0o644) for fd, path in enumerate(logs or (), 1)]
    for fd in given:
        os.set_inheritable(fd, True)
    return os.posix_spawn(sys.executable, argv, environ, file_actions=actions, setsid=True)


def _board_fd() -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("board", os.MFD_CLOEXEC)
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, BOARD_BYTES)
    return fd
