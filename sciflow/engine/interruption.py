"""Ctrl-C and SIGTERM, while an engine is at work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from sciflow.engine.halt import Halt, Level


@contextmanager
def interruptible(order: Callable[[Halt], None]) -> Iterator[None]:
    """Ctrl-C or SIGTERM once: nothing new, what runs may end. Twice: what runs is killed. Both times resumable.

    SIGTERM comes from machines that go down, which wait for seconds only: it kills at once.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        if asked or number == signal.SIGTERM:
            order(Halt(Level.KILL, "interrupted, what ran was killed: `sciflow resume` goes on"))
        else:
            order(Halt(Level.STOP, "interrupted: `sciflow resume` goes on"))
            with suppress(OSError, ValueError):  # nobody reads it any more
                sys.stderr.write("\ninterrupted: nothing new is begun, what runs may end; ctrl-C again kills it\n")
        asked.append(number)

    asked: list[int] = []
    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # this is not the main thread, which alone gets signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
