"""Threads that do the same with several things at once. A process that ends does not wait for them.

It would for those of `concurrent.futures`, so long as what they send over a connection that hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def carry(act: Callable[[T], None], loads: Sequence[T], *, porters: int) -> None:
    """Has each of the loads carried, and raises the first error when all porters have ended."""
    ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def walk(share: Sequence[T]) -> None:
        try:
            for load in share:
                act(load)
        except BaseException as error:  # noqa: BLE001  it is for the one who waits
            ends.put(error)
        else:
            ends.put(None)

    shares = [loads[first::porters] for first in range(min(porters, len(loads)))]
    for share in shares:
        threading.Thread(target=walk, args=(share,), name="sciflow-supply", daemon=True).start()
    errors = [error for error in (ends.get() for _ in shares) if error is not None]
    if errors:
        raise errors[0]
