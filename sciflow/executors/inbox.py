"""A queue between threads that can be waited for together with other things."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue between threads whose arrival of something can be waited for with `poll`."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T] = SimpleQueue()
        self.fd, self._bell = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._bell, False)
        self._lock = threading.Lock()  # a descriptor that was given back may be another file's by now
        self._closed = False

    def put(self, item: T) -> None:
        """Adds something; nobody takes it any more if this is closed."""
        self._queue.put(item)
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks up, though nothing may have come."""
        with self._lock, suppress(BlockingIOError):  # it rings already
            if not self._closed:
                os.write(self._bell, b".")

    def take(self) -> list[T]:
        """All that has come."""
        with suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except Empty:
                return found

    def close(self) -> None:
        """Gives the descriptors back; for the one who takes."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self.fd)
                os.close(self._bell)
