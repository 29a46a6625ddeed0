"""What an engine does while it cannot write, since the disk is full or its database locked: it says so, and waits."""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
FIRST_S, LONGEST_S = 0.05, 2.0  # between two attempts
LOOK_S = 0.05  # between looks at whether it is still worth waiting
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
# A file system that can give no more room is told by SQLite as either: sqlite.org/rescode.html
_SQLITE_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_SQLITE_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def lacks_room(error: OSError | sqlite3.Error) -> bool:
    """Whether something could not be written for want of room."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _sqlite_code(error) in _SQLITE_NO_ROOM


def will_pass(error: BaseException | None) -> str:
    """What is waited for, if that is why something could not be written; else nothing."""
    if isinstance(error, OSError | sqlite3.Error) and lacks_room(error):
        return f"the disk is full ({error}): waits for room"
    if isinstance(error, sqlite3.Error) and _sqlite_code(error) in _SQLITE_HELD:
        return f"another program holds the run's database ({error}): waits for it"
    return ""


def _sqlite_code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


class Patience:
    """Tries to write again and again."""

    def __init__(self, *, limit_s: Callable[[], float], say: Callable[[str], None], ends: Callable[[], bool]) -> None:
        """Of an engine that is told what goes on by `say`, and that gives up when `ends` holds."""
        self._limit_s = limit_s
        self._say = say
        self._ends = ends

    def insist(self, write: Callable[[], T]) -> T:
        """What `write` gives, which must leave nothing half done when it fails, as soon as it can be written.

        Raises:
            OSError, sqlite3.Error: it could not be within the time, the engine is to end, or it is another error.
        """
        until, pause = 0.0, FIRST_S
        while True:
            try:
                done = write()
            except (OSError, sqlite3.Error) as error:
                what = will_pass(error)
                begins = what and not until
                until = until or time.monotonic() + self._limit_s()
                if not what or not self._may_wait(until):
                    raise
                if begins:
                    self._say(f"{what}, {self._limit_s():g} s at most")
            else:
                if until:
                    self._say("")
                return done
            self._wait(min(until, time.monotonic() + pause))
            pause = min(2 * pause, LONGEST_S)

    def _may_wait(self, until: float) -> bool:
        return time.monotonic() < until and not self._ends()

    def _wait(self, until: float) -> None:
        while self._may_wait(until):
            time.sleep(LOOK_S)


class Insist(Protocol):
    """See `Patience.insist`."""

    def __call__(self, write: Callable[[], T]) -> T:
        """What `write` gives."""


def at_once(write: Callable[[], T]) -> T:
    """Instead of `Patience.insist` where nobody waits."""
    return write()
