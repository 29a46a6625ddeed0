"""Locks of files: the system frees them when their holder dies, so none is ever stale."""

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

LOOK_S = 0.02
# Lustre without `flock`, file systems in user space, NFS without a lock manager
NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK}


class NoLocks(OSError):
    """The file system of a file has no locks: nobody can tell whether another process is at work."""


def takes_locks(folder: str) -> bool:
    """Whether files in a folder can be locked; of the folder itself NFS would say so in any case."""
    probe = f"{folder}/.lock-{os.getpid()}"
    fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        grasped(fd)
    except NoLocks:
        return False
    finally:
        os.close(fd)
        os.unlink(probe)
    return True


def grasped(fd: int) -> bool:
    """Whether this process holds the lock of an open file from now on, or did.

    Raises:
        NoLocks: nobody can.
    """
    import fcntl

    return _grasped(fd, fcntl.LOCK_EX)


def _grasped(fd: int, how: int) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise NoLocks(error.errno, f"its file system has no locks ({error.strerror})") from error
    return True


def taken(fd: int) -> bool:
    """As `grasped`, for what is to be done without a lock, too, where the file system has none."""
    try:
        return grasped(fd)
    except NoLocks:
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
    """Whether another process has locked a file.

    Raises:
        NoLocks: nobody knows.
    """
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _grasped(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
