"""One program over one channel: its input is sent while its outputs are read, so that neither waits for the other."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from sciflow.errors import CommandTimedOut, HostRefused, HostUnreachable
from sciflow.executors.transports.command import Command, Opening
from sciflow.executors.transports.link import Ended

READ_BYTES = 1 << 18
SEND_BYTES = 1 << 15
LOOK_S = 0.25  # how often the clock is looked at while nothing comes
LEFT_OPEN_S = 1.0  # for output that comes after the end: from a child that was left behind with it
SETTLE_S = 0.3  # between a channel's end and that of its connection
UNKNOWN_SIGNAL = 255


class Exchange:
    """One program from its start to its end."""

    def __init__(self, channel: Any, command: Command, *, host: str, what: str = "the program") -> None:
        self._channel = channel
        self._host = host
        self._what = what
        self._opening = Opening(command.opening)
        self._errors_opening = Opening(command.mark.encode())
        self._errors: list[bytes] = []
        self._failure: BaseException | None = None

    @property
    def group(self) -> int | None:
        """The number of its process group there, once it is known."""
        told = self._opening.told.strip()
        return int(told) if told.isdigit() else None

    def run(self, stdin: Iterable[bytes], stdout: Callable[[bytes], object], *, end: float) -> Ended:
        """Waits for its end, until that moment of the monotonic clock."""
        threading.Thread(target=self._feed, args=(stdin,), daemon=True).start()
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        ended_at: float | None = None
        while True:
            status = self._channel.exit_status_ready()
            finished = self._channel.closed or (status and self._channel.eof_received)
            moved = self._read(stdout)
            now = time.monotonic()
            if finished and not moved:
                return self._outcome()
            if status and not moved:
                ended_at = ended_at or now
                if now - ended_at > LEFT_OPEN_S:
                    return self._outcome()
            if now > end:
                raise CommandTimedOut(f"{self._host}: {self._what} took longer than its time limit and was ended")
            if not moved:
                poll.poll(1000 * max(0.0, min(LOOK_S, end - now)))

    def _read(self, stdout: Callable[[bytes], object]) -> bool:
        moved = False
        while self._channel.recv_ready():
            moved = True
            if block := self._opening.feed(self._take(self._channel.recv)):
                stdout(block)
        while self._channel.recv_stderr_ready():
            moved = True
            self._errors.append(self._errors_opening.feed(self._take(self._channel.recv_stderr)))
        return moved

    def _take(self, receive: Callable[[int], bytes]) -> bytes:
        """What has come; taking it also tells the host that it may send more, which a broken connection refuses."""
        try:
            return receive(READ_BYTES)
        except (OSError, EOFError) as error:
            raise self._failure or self._broken() from error  # the former has closed the channel

    def _broken(self) -> HostUnreachable:
        return HostUnreachable(f"{self._host}: the connection broke while {self._what} ran")

    def _outcome(self) -> Ended:
        if self._failure is not None:
            raise self._failure
        code = int(self._channel.exit_status)
        if code < 0:
            time.sleep(SETTLE_S)
            if not self._channel.get_transport().is_active():
                raise self._broken()
        if not self._opening.found:
            said = (self._errors_opening.noise.strip() or self._opening.noise.strip()).decode(errors="replace")
            raise HostRefused(f"{self._host}: runs no programs for this user" + (f", it says: {said}" if said else ""))
        return Ended(code if code >= 0 else UNKNOWN_SIGNAL, b"".join(self._errors))

    def _feed(self, stdin: Iterable[bytes]) -> None:
        """Sends its input, in a thread of its own: the host may take it when the program has written something."""
        iterator = iter(stdin)
        while True:
            try:
                block = next(iterator, b"")
            except (OSError, EOFError) as error:  # what is to be sent cannot be read
                self._failure = error
                with suppress(OSError, EOFError):  # of a connection that has just ended
                    self._channel.close()
                return
            if not block:
                break
            try:
                for at in range(0, len(block), SEND_BYTES):
                    self._channel.sendall(block[at : at + SEND_BYTES])
            except (OSError, EOFError):  # the program has ended without reading all of it
                return
        with suppress(OSError, EOFError):
            self._channel.shutdown_write()
