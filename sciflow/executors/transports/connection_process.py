"""The process that keeps one connection for all runs of a user: it listens on a socket, and ends when it is not used.

It is started by `sciflow connect`, which stays its terminal until the login is done: what the host asks is passed on,
and the answers live in this process's memory alone. When the connection breaks it is made again if that needs nobody;
if it does need somebody, whoever asks for it is told to run `sciflow connect`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

import msgspec

from sciflow.errors import CommandTimedOut, HostError, HostRefused, MissingExtra
from sciflow.executors.transports.command import Command
from sciflow.executors.transports.kept_socket import (
    INPUT,
    INPUT_END,
    OUTPUT,
    READY,
    SAID,
    Ask,
    Said,
    Setup,
    Told,
    as_path,
    of_this_user,
    receive,
    send,
)
from sciflow.executors.transports.link import Unbegun
from sciflow.executors.transports.redial import Redial
from sciflow.runner.file_lock import locked

LOOK_S = 1.0
STUCK_S = 60.0  # for a client that does not read, beyond its own time limit
FIRST_LOGIN_S = 60.0  # between its start and a login, with nobody at work on that


class ConnectionProcess:
    """The process's whole life."""

    def __init__(self, setup: Setup, listener: socket.socket) -> None:
        self._setup = setup
        self._listener = listener
        self._redial = Redial(setup.hops, connect_timeout_s=setup.connect_timeout_s, keepalive_s=setup.keepalive_s)
        self._since = time.time()
        self._used = time.monotonic()
        self._calls = 0
        self._count = threading.Lock()
        self._logged_in = False  # at any time
        self._ending = threading.Event()

    def serve(self) -> None:
        """Until it is told to end, nobody has used it for long, or nobody can find it any more."""
        self._listener.settimeout(LOOK_S)
        while not self._ending.is_set() and not self._unused() and self._setup.path.exists():
            with suppress(TimeoutError):
                peer, _ = self._listener.accept()
                threading.Thread(target=self._attend, args=(peer,), daemon=True).start()
        self._redial.close()

    def _unused(self) -> bool:
        limit_s = self._setup.idle_limit_s if self._logged_in else FIRST_LOGIN_S
        return self._calls == 0 and time.monotonic() - self._used > limit_s

    def _attend(self, peer: socket.socket) -> None:
        with peer, suppress(OSError, EOFError, msgspec.DecodeError):  # it has gone, or only looked if somebody is here
            if not of_this_user(peer):
                return
            send(peer, READY, b"")
            ask = msgspec.json.decode(receive(peer)[1], type=Ask)
            with self._using() if ask.do != "tell" else nullcontext():
                send(peer, SAID, self._answer(ask, peer))

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._count:
            self._calls += 1
        try:
            yield
        finally:
            with self._count:
                self._calls -= 1
                self._used = time.monotonic()

    def _answer(self, ask: Ask, peer: socket.socket) -> Said:
        try:
            match ask.do:
                case "call":
                    return self._call(ask, peer)
                case "log in":
                    self._log_in(ask, peer)
                case "close":
                    self._end()
                case "tell":
                    pass
            return Said(told=self._told())
        except (HostError, MissingExtra) as error:
            return _failure(error)

    def _log_in(self, ask: Ask, peer: socket.socket) -> None:
        try:
            self._redial.log_in(_Terminal(peer), ask.accept)
        except (HostError, MissingExtra):
            if not self._logged_in:
                self._end()  # the user will start again
            raise
        self._logged_in = True

    def _end(self) -> None:
        """Nobody finds it from now on: who asks after this answer would speak to one that is going away."""
        self._setup.path.unlink(missing_ok=True)
        self._ending.set()

    def _call(self, ask: Ask, peer: socket.socket) -> Said:
        peer.settimeout(ask.timeout_s + STUCK_S)
        end = time.monotonic() + ask.timeout_s
        link = self._redial.get(end)
        ended = link.call(
            Command(ask.line, ask.mark),
            _input(peer),
            lambda block: send(peer, OUTPUT, block),
            timeout_s=max(0.05, end - time.monotonic()),
        )
        return Said(ended=ended)

    def _told(self) -> Told:
        hop = self._setup.hops[-1]
        return Told(
            alias=hop.alias,
            name=hop.name,
            pid=os.getpid(),
            connected=self._redial.connection is not None,
            since=self._since,
            idle_s=time.monotonic() - self._used,
            idle_limit_s=self._setup.idle_limit_s,
            trouble=str(self._redial.failure or ""),
        )


class _Terminal:
    """Whoever sits at the other end of the socket."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def __call__(self, prompt: str, *, secret: bool) -> str:
        try:
            send(self._peer, SAID, Said(question=prompt, secret=secret))
            return receive(self._peer)[1].decode()
        except (OSError, EOFError) as error:
            raise HostRefused("the question was not answered") from error


def _input(peer: socket.socket) -> Iterator[bytes]:
    while True:
        kind, content = receive(peer)
        if kind == INPUT_END:
            return
        if kind == INPUT:
            yield content


def _failure(error: HostError | MissingExtra) -> Said:
    match error:
        case Unbegun():
            return Said(failure=str(error), kind="Unbegun")
        case CommandTimedOut():
            return Said(failure=str(error), kind="CommandTimedOut")
        case HostRefused() | MissingExtra():
            return Said(failure=str(error), kind="HostRefused")
        case _:
            return Said(failure=str(error), kind="HostUnreachable")


def main() -> None:
    """The process; its setup comes by standard input."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    setup = msgspec.json.decode(sys.stdin.buffer.read(), type=Setup, dec_hook=as_path)
    os.umask(0o077)
    # whoever holds the lock is the one process; the file stays, since a removed one could be locked twice
    with locked(str(setup.path.with_suffix(".lock")), patience_s=2 * LOOK_S) as lock:  # one may just be going away
        if lock.held:
            _serve(setup)


def _serve(setup: Setup) -> None:
    setup.path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(setup.path))
        setup.path.chmod(0o600)
        listener.listen(128)
        try:
            ConnectionProcess(setup, listener).serve()
        finally:
            setup.path.unlink(missing_ok=True)
