"""One SSH connection, by paramiko: the hosts on the way, their keys, the login, channels, and whether it still lives.

A server may stop answering without a word (a firewall that forgets a connection, a laptop that slept). So a thread
asks for a sign of life when nothing was heard, and another one, which never sends, breaks off a connection that stays
silent: whoever waits for an answer is freed by that.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from sciflow.errors import CommandTimedOut, HostRefused, HostUnreachable, MissingExtra
from sciflow.executors.transports.command import Command, command
from sciflow.executors.transports.exchange import Exchange
from sciflow.executors.transports.host_keys import HostKey, check, entries
from sciflow.executors.transports.link import Ended, Unbegun
from sciflow.executors.transports.login import Asker, Keyring, Login
from sciflow.executors.transports.ssh_config import Hop

MAX_LANES = 8  # OpenSSH allows ten sessions at once
WINDOW_BYTES = 1 << 21  # OpenSSH's own; with 16 MB the sender overruns what TCP takes, and stalls
REFUSED_PATIENCE_S = 3.0  # a server counts a session for a moment after its end
ENDING_S = 5.0
SILENT_TIMES = 3  # signs of life that may be missing


class Connection:
    """A connection that is logged in."""

    def __init__(self, hop: Hop, transports: Sequence[Any], heard: _Heard, *, keepalive_s: float) -> None:
        self.name = hop.name
        self._transports = tuple(transports)  # of the hosts on the way, and of the host itself
        self._transport = transports[-1]
        self._heard = heard
        self._keepalive_s = keepalive_s
        self._lanes = _Lanes(hop.name)
        self._opening = threading.Lock()  # paramiko keeps why the last channel was refused in one place
        self._beginning: dict[int, float] = {}  # threads that wait for a program's start, and until when
        self._closed = threading.Event()
        for task in (self._ask_for_life, self._listen_for_life):
            threading.Thread(target=task, daemon=True, name=f"ssh {hop.name}").start()

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
                given = True
                ending = threading.Thread(target=self._end, args=(channel, exchange.group), daemon=True)
                ending.start()
                ending.join(ENDING_S)
                raise
            finally:
                if not given:
                    channel.close()
        finally:
            if not given:
                self._lanes.give()

    def _channel(self, end: float) -> Any:
        import paramiko

        patience = min(end, time.monotonic() + REFUSED_PATIENCE_S)
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
            if self.alive:
                raise HostRefused(f"{self.name}: runs no programs: {error}") from error
            # whether the host has begun with it is not known
            raise HostUnreachable(f"{self.name}: the connection broke as a program was started") from error
        finally:
            self._beginning.pop(me, None)

    def _end(self, channel: Any, group: int | None) -> None:
        """Ends a program that took too long; closing its channel alone would let it go on."""
        with suppress(OSError, EOFError):
            channel.close()
        self._lanes.give()
        if group is not None and self.alive:
            with suppress(HostUnreachable, HostRefused):
                self.call(command(["kill", "-s", "KILL", "--", f"-{group}"]), (), len, timeout_s=ENDING_S)

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


class _Heard:
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


# --- how it comes about --------------------------------------------------------------------------------------------


def connect(
    hops: Sequence[Hop],
    *,
    asker: Asker | None = None,
    keyring: Keyring | None = None,
    accept: Sequence[str] = (),
    timeout_s: float = 30.0,
    keepalive_s: float = 15.0,
) -> Connection:
    """Connects and logs in, host by host; `accept`: fingerprints of host keys that are to be written down.

    Raises:
        HostUnreachable: a host on the way does not answer.
        HostRefused: a host key is not the known one, or the login is refused or needs somebody to ask.
    """
    try:
        import paramiko
    except ImportError as error:
        raise MissingExtra("paramiko", "ssh", f"reaching {hops[-1].alias} by SSH") from error
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its threads' last words are ours to tell
    transports: list[Any] = []
    try:
        for hop in hops:
            heard = _Heard(_below(hop, transports, timeout_s))
            transports.append(_transport(paramiko, hop, heard, timeout_s))
            _check_host(transports[-1], hop, accept, timeout_s)
            Login(transports[-1], hop, asker=asker, keyring=keyring or Keyring()).run()
        return Connection(hops[-1], transports, heard, keepalive_s=keepalive_s)
    except BaseException:
        for transport in reversed(transports):
            transport.close()
        raise


def _below(hop: Hop, transports: Sequence[Any], timeout_s: float) -> Any:
    """What carries the connection: a socket, a channel of the host before, a program."""
    import paramiko

    try:
        if hop.command is not None:
            return _Program(hop.command)
        if transports:
            return transports[-1].open_channel(
                "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=timeout_s
            )
        return socket.create_connection((hop.host, hop.port), timeout_s)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: cannot be reached: {error}") from error


def _transport(paramiko: Any, hop: Hop, heard: _Heard, timeout_s: float) -> Any:
    try:
        transport = paramiko.Transport(heard)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: {error}") from error
    transport.daemon = True
    transport.banner_timeout = transport.handshake_timeout = timeout_s
    known = {entry.key.kind for entry in entries(hop) if not entry.marker}
    known |= {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known else set()
    options = transport.get_security_options()
    # a host has keys of several kinds: the one that is known is asked for
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in known)
    return transport


def _check_host(transport: Any, hop: Hop, accept: Sequence[str], timeout_s: float) -> None:
    import paramiko

    try:
        transport.start_client(timeout=timeout_s)
        key = transport.get_remote_server_key()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: no SSH connection: {error or 'it hung up'}") from error
    check(hop, HostKey(key.get_name(), key.asbytes()), accept=accept)


class _Program:
    """A ProxyCommand: a program whose input and output are the connection."""

    def __init__(self, line: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # the user's own line from ~/.ssh/config, which is meant for a shell
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {line}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
