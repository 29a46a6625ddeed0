"""Files put in their place whole or not at all, never outside of a folder, by one process at a time."""

from __future__ import annotations

import os
import time

from sciflow.runner.packs import write_all
from sciflow.runner.refusal import Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

LOOK_S = 0.02


def write_whole(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a file beside its place, and rename it."""
    beside = beside_of(path)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        os.rename(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def beside_of(path: str) -> str:
    """A new, hidden name in the same folder."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name[:100]}.{os.urandom(6).hex()}"


def parts_of(relative: str) -> list[str]:
    """The parts of a path below a folder.

    Raises:
        Refusal: it is none.
    """
    parts = relative.split("/")
    if "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise Refusal(f"{relative!r} is no path inside a run's folder")
    return parts


def within(root: str, relative: str) -> str:
    """The place of `relative` below `root`, which may not be there.

    Raises:
        Refusal: it would lie outside, be it through a link.
    """
    parts_of(relative)
    place = f"{root}/{relative}"
    if not f"{os.path.realpath(os.path.dirname(place))}/".startswith(f"{os.path.realpath(root)}/"):
        raise Refusal(f"{relative!r} leads out of the run's folder")
    return place


def inside(root: str, relative: str) -> str:
    """The place of `relative` below `root`, with its folders made.

    Raises:
        Refusal: it would lie outside, be it through a link.
    """
    parts = parts_of(relative)
    real = os.path.realpath(root)
    folder = real
    for part in parts[:-1]:
        folder = f"{folder}/{part}"
        try:
            os.mkdir(folder)
        except FileExistsError:
            if os.path.islink(folder) and not f"{os.path.realpath(folder)}/".startswith(f"{real}/"):
                raise Refusal(f"{relative!r}: {folder} leads out of the run's folder") from None
    return f"{folder}/{parts[-1]}"


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
