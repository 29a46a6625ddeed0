"""Signals to an element: warnings of the batch system, and ends of its worker."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` makes enums of all numbers
import os
import select
import time

OF_TIME = (_signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGXCPU)  # by which batch systems warn of a time limit
WARNINGS = (_signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGINT, _signal.SIGHUP, _signal.SIGXCPU)


class Signals:
    """What the batch system says, and ends of children: both wake this process up."""

    def __init__(self) -> None:
        self.told = False
        self.of_time = True  # none was heard but those that warn of a time limit
        self._awake, write = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(write, False)
        ignored = _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN  # started by nohup
        numbers = [number for number in WARNINGS if not (ignored and number == _signal.SIGHUP)]
        self._before = {number: _signal.signal(number, self._hear) for number in numbers}
        self._before[_signal.SIGCHLD] = _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def _hear(self, number: int, _: object) -> None:
        self.told = True
        self.of_time = self.of_time and number in OF_TIME

    def wait(self, seconds: float | None) -> None:
        """Wait for a signal."""
        select.select([self._awake], [], [], seconds)
        try:
            while os.read(self._awake, 512):
                pass
        except BlockingIOError:
            pass

    def heard_within(self, seconds: float) -> bool:
        """Whether the batch system has given a signal, or does so soon."""
        limit = time.monotonic() + seconds
        while not self.told and (left := limit - time.monotonic()) > 0:
            self.wait(left)
        return self.told

    def restore(self) -> None:
        """In a child: nothing of this is its own."""
        _signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            _signal.signal(number, handler if handler is not None else _signal.SIG_DFL)
