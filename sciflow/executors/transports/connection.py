"""One SSH connection, by paramiko: its channels, and whether it still lives. How it comes about: see `dialing`.

A server may stop answering without a word (a firewall that forgets a connection, a laptop that slept). So a thread
asks for a sign of life when nothing was heard, and another one, which never sends, breaks off a connection that stays
silent: whoever waits for an answer is freed by that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from sciflow.errors import CommandTimedOut, HostRefused, HostUnreachable
from sciflow.executors.transports.command import Command, command
from sciflow.executors.transports.exchange import Exchange
from sciflow.executors.transports.link import Ended, Unbegun

MAX_LANES = 8  # OpenSSH allows ten sessions at once
WINDOW_BYTES = 1 << 21  # OpenSSH's own; with 16 MB the sender overruns what TCP takes, and stalls
REFUSED_PATIENCE_S = 3.0  # a server counts a session for a moment after its end
ENDING_S = 5.0
KILL_PATIENCE_S = 0.5
SILENT_TIMES = 3  # signs of life that may be missing


class Connection:
    """A connection that is logged in."""

    def __init__(
        self,
        name: str,
        transports: Sequence[Any],
        heard: Heard,
        *,
        keepalive_s: float,
        another: Callable[[], Connection],
    ) -> None:
        """`another`: makes one more to the same host, if that needs nobody."""
        self.name = name
        self._another = another
        self._transports = tuple(transports)  # of the hosts on the way, and of the host itself
        self._transport = transports[-1]
        self._heard = heard
        self._keepalive_s = keepalive_s
        self._lanes = _Lanes(name)
        self._opening = threading.Lock()  # paramiko keeps why the last channel was refused in one place
        self._beginning: dict[int, float] = {}  # threads that wait for a program's start, and until when
        self._closed = threading.Event()
        for task in (self._ask_for_life, self._listen_for_life):
            threading.Thread(target=task, daemon=True, name=f"ssh {name}").start()

    @property
    def alive(self) -> bool:
        return bool(self._transport.is_active()) and not self._closed.is_set()

    def close(self) -> None:
        self._closed.set()
        for transport in reversed(self._transports):
            transport.close()

    def call(
        self, command: Command, stdin: Iterable[bytes], stdout: Callable[[bytes], object], *, timeout_s: float
    ) -> Ended:
        end = time.monotonic() + timeout_s
        self._lanes.take(end)
        given = False
        try:
            channel = self._channel(end)
            exchange = Exchange(channel, command, host=self.name)
            try:
                self._begin(channel, command.line, end)
                return exchange.run(stdin, stdout, end=end)
            except CommandTimedOut:
                given = True  # by the ending
                ending = threading.Thread(target=self._end, args=(channel, exchange.group), daemon=True)
                ending.start()
                ending.join(ENDING_S)
                raise
            finally:
                if not given:
                    with suppress(OSError, EOFError):
                        channel.close()
        finally:
            if not given:
                self._lanes.give()

    def _channel(self, end: float, *, patience_s: float = REFUSED_PATIENCE_S) -> Any:
        import paramiko

        patience = min(end, time.monotonic() + patience_s)
        while True:
            try:
                with self._opening:
                    return self._transport.open_session(
                        window_size=WINDOW_BYTES, timeout=max(0.1, end - time.monotonic())
                    )
            except paramiko.ChannelException as error:
                if self._lanes.narrow():
                    patience = end  # another call of ours is in there; it will end
                    self._lanes.wait(end)
                elif time.monotonic() > patience:
                    raise HostRefused(f"{self.name}: opens no session: {error.text}") from error
                else:
                    time.sleep(0.05)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if self.alive and time.monotonic() >= end:
                    self.close()  # it answers nothing
                raise Unbegun(f"{self.name}: the connection is broken: {error or 'end of file'}") from error

    def _begin(self, channel: Any, line: str, end: float) -> None:
        import paramiko

        me = threading.get_ident()
        self._beginning[me] = end
        try:
            channel.exec_command(line)
        except (paramiko.SSHException, EOFError, OSError) as error:
            if self.alive and isinstance(error, paramiko.SSHException):
                raise HostRefused(f"{self.name}: runs no programs: {error}") from error
            # whether the host has begun with it is not known
            raise HostUnreachable(f"{self.name}: the connection broke as a program was started") from error
        finally:
            self._beginning.pop(me, None)

    def _end(self, channel: Any, group: int | None) -> None:
        """Ends a program that took too long; closing its channel alone would let it go on."""
        try:
            self._send_kill(channel)
            with suppress(OSError, EOFError):
                channel.close()
            if group is not None and self.alive:
                with suppress(HostUnreachable, HostRefused):
                    self._kill(group)
        finally:
            self._lanes.give()

    def _send_kill(self, channel: Any) -> None:
        """Asks the server to do it; OpenSSH does since 7.9, but not for root."""
        import paramiko

        message = paramiko.Message()
        message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string("KILL")
        with suppress(OSError, EOFError, paramiko.SSHException):
            self._transport._send_user_message(message)  # noqa: SLF001 - paramiko has no public verb for a signal

    def _kill(self, group: int) -> None:
        """In another session; where a server has only the one that is taken, by another connection."""
        end = time.monotonic() + ENDING_S
        killing = command(["kill", "-s", "KILL", "--", f"-{group}"])
        try:
            channel = self._channel(end, patience_s=KILL_PATIENCE_S)
        except HostRefused:
            self.close()  # it is of no use until that program ends
            other = self._another()
            try:
                other.call(killing, (), len, timeout_s=ENDING_S)
            finally:
                other.close()
            return
        try:
            self._begin(channel, killing.line, end)
            Exchange(channel, killing, host=self.name).run((), len, end=end)
        finally:
            channel.close()

    # --- signs of life ---------------------------------------------------------------------------------------------

    def _ask_for_life(self) -> None:
        import paramiko

        while not self._closed.wait(self._keepalive_s / 2) and self._transport.is_active():
            if self._heard.silence_s >= self._keepalive_s / 2:
                with suppress(paramiko.SSHException, EOFError, OSError):
                    self._transport.global_request("keepalive@openssh.com", wait=True)

    def _listen_for_life(self) -> None:
        while not self._closed.wait(min(1.0, self._keepalive_s / 2)):
            now = time.monotonic()
            overdue = any(now > end for end in tuple(self._beginning.values()))
            if overdue or self._heard.silence_s > SILENT_TIMES * self._keepalive_s or not self._transport.is_active():
                self.close()


class _Lanes:
    """How many sessions may be open at once; a server that refuses one teaches it."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._limit = MAX_LANES
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, end: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken < self._limit, max(0.0, end - time.monotonic())):
                raise CommandTimedOut(f"{self._host}: all {self._limit} sessions were busy until the time limit")
            self._taken += 1

    def wait(self, end: float) -> None:
        """Gives one back and takes it again when there is room for it."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()
            room = self._changed.wait_for(lambda: self._taken < self._limit, max(0.0, end - time.monotonic()))
            self._taken += 1
        if not room:
            raise CommandTimedOut(f"{self._host}: all {self._limit} sessions were busy until the time limit")

    def give(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def narrow(self) -> bool:
        """One session was refused: as many as are open besides it are the limit; False if none is."""
        with self._changed:
            if self._taken <= 1:
                return False
            self._limit = max(1, min(self._limit, self._taken - 1))
            return True


class Heard:
    """A socket that knows when it last heard something."""

    def __init__(self, below: Any) -> None:
        self._below = below
        self._at = time.monotonic()

    @property
    def silence_s(self) -> float:
        return time.monotonic() - self._at

    def recv(self, count: int) -> bytes:
        data: bytes = self._below.recv(count)
        self._at = time.monotonic()
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)
