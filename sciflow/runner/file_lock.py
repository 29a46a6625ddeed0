"""Locks of files: the system frees them when their holder dies, so none is ever stale."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

LOOK_S = 0.02


def taken(fd: int) -> bool:
    """Whether this process holds the lock of an open file from now on, or did, or the file system has no locks."""
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


class locked:  # noqa: N801  reads as `with locked(file):`
    """Holds a lock while its block runs; gives up waiting after a while, and goes on without."""

    def __init__(self, path: str, *, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._fd = -1
        self.held = False

    def __enter__(self) -> locked:  # noqa: PYI034  Python 3.9 has no Self
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        limit = time.monotonic() + self._patience_s
        while not taken(self._fd):
            if time.monotonic() > limit:
                return self
            time.sleep(LOOK_S)
        self.held = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)


def held(path: str) -> bool:
    """Whether another process has locked a file."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
