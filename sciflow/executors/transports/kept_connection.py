"""The connections that processes of this user keep: found, used, started, ended. See `connection_process`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.errors import CommandTimedOut, HostError, HostRefused, HostUnreachable
from sciflow.executors.transports.command import Command
from sciflow.executors.transports.kept_socket import (
    ANSWER,
    ASKED,
    INPUT,
    INPUT_END,
    OUTPUT,
    Ask,
    Said,
    Setup,
    Told,
    folder,
    of_this_user,
    receive,
    send,
    socket_path,
)
from sciflow.executors.transports.link import Ended, Unbegun
from sciflow.executors.transports.login import Asker
from sciflow.executors.transports.ssh_config import Hop

ANSWERING_S = 10.0
STARTING_S = 20.0
LATE_S = 15.0  # the process keeps the time limit; this is for one that is stopped
_KINDS: dict[str, type[HostError]] = {
    "Unbegun": Unbegun,
    "HostUnreachable": HostUnreachable,
    "HostRefused": HostRefused,
    "CommandTimedOut": CommandTimedOut,
}
# Appended to the path, not put first: what the user has installed must not be hidden by what lies beside sciflow.
_START = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from sciflow.executors.transports.connection_process import main; main()"
)


class KeptConnection:
    """The link through a process that keeps a connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def alive(self) -> bool:
        try:
            _open(self._path).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """The connection is not ours to close."""

    def call(
        self, command: Command, stdin: Iterable[bytes], stdout: Callable[[bytes], object], *, timeout_s: float
    ) -> Ended:
        try:
            peer = _attended(self._path)
        except (OSError, EOFError) as error:
            raise Unbegun(f"the process that kept the connection gives no answer: {error}") from error
        with peer:
            peer.settimeout(timeout_s + LATE_S)
            feeding = _Feeding(peer, stdin)
            try:
                send(peer, ASKED, Ask(do="call", line=command.line, mark=command.mark, timeout_s=timeout_s))
                feeding.start()
                said = _listen(peer, stdout)
            except TimeoutError as error:
                raise CommandTimedOut(f"the process that keeps the connection does not answer: {self._path}") from error
            except (OSError, EOFError) as error:
                feeding.check()
                raise HostUnreachable("the process that keeps the connection ended during a call") from error
            feeding.check()
        return _result(said).ended or Ended(-1, b"")

    def tell(self) -> Told:
        """What it is, and how its connection does."""
        return self._ask(Ask(do="tell"))

    def end(self) -> Told:
        """Closes the connection and ends the process."""
        return self._ask(Ask(do="close"))

    def log_in(self, asker: Asker, *, accept: Sequence[str] = ()) -> Told:
        """Connects, if it is not connected, and asks the user what the host asks."""
        return self._ask(Ask(do="log in", accept=tuple(accept)), asker)

    def _ask(self, ask: Ask, asker: Asker | None = None) -> Told:
        try:
            with _attended(self._path) as peer:
                peer.settimeout(None if asker else ANSWERING_S)
                send(peer, ASKED, ask)
                while True:
                    said = _listen(peer, len)
                    if said.question is None or asker is None:
                        break
                    send(peer, ANSWER, asker(said.question, secret=said.secret).encode())
        except (OSError, EOFError) as error:
            raise HostUnreachable(f"the process that keeps the connection gives no answer: {error}") from error
        told = _result(said).told
        if told is None:
            raise HostUnreachable("the process that keeps the connection speaks another language: end it")
        return told


def find(hops: Sequence[Hop]) -> KeptConnection | None:
    """The one for the way to a host, if a process keeps it."""
    try:
        kept = KeptConnection(socket_path(hops))
    except OSError:  # no place for sockets, and so none is there
        return None
    return kept if kept.alive else None


def find_all() -> list[tuple[KeptConnection, Told]]:
    """All of this user, with what they tell."""
    found = []
    for path in sorted(folder().glob("*.sock")):
        kept = KeptConnection(path)
        with suppress(HostError):
            told = kept.tell()
            found.append((kept, told))
    return found


def start(
    hops: Sequence[Hop], *, idle_limit_s: float, connect_timeout_s: float = 30.0, keepalive_s: float = 15.0
) -> KeptConnection:
    """The one for the way to a host, from a new process if there is none; it is not logged in yet.

    Raises:
        HostUnreachable: the process does not come up.
    """
    path = socket_path(hops)
    setup = Setup(
        path=path,
        hops=tuple(hops),
        idle_limit_s=idle_limit_s,
        connect_timeout_s=connect_timeout_s,
        keepalive_s=keepalive_s,
    )
    kept = KeptConnection(path)
    if kept.alive:
        return kept
    log = path.with_suffix(".log")
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[3])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd="/",
            start_new_session=True,
        )
    _tell_setup(process, setup)
    end = time.monotonic() + STARTING_S
    while not KeptConnection(path).alive:
        if time.monotonic() > end or process.poll() not in (None, 0):
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise HostUnreachable(f"the process that keeps the connection does not come up: {said or log}")
        time.sleep(0.02)
    process.returncode = 0  # it goes on without us
    return kept


def _tell_setup(process: subprocess.Popen[bytes], setup: Setup) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended, and its log says why
        process.stdin.write(msgspec.json.encode(setup, enc_hook=str))
        process.stdin.close()


class _Feeding:
    """Sends a program's input to the process, in a thread of its own."""

    def __init__(self, peer: socket.socket, stdin: Iterable[bytes]) -> None:
        self._peer = peer
        self._stdin = stdin
        self._failure: OSError | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        iterator = iter(self._stdin)
        while True:
            try:
                block = next(iterator, b"")
            except OSError as error:  # our own file cannot be read: the process sees us hang up
                self._failure = error
                with suppress(OSError):
                    self._peer.shutdown(socket.SHUT_RDWR)
                return
            try:
                send(self._peer, INPUT if block else INPUT_END, block)
            except OSError:  # the program has ended without reading all
                return
            if not block:
                return

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure


def _open(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.settimeout(ANSWERING_S)
        peer.connect(str(path))
    except OSError:
        peer.close()
        raise
    if of_this_user(peer):
        return peer
    peer.close()
    raise PermissionError(0, f"{path} is somebody else's")


def _attended(path: Path) -> socket.socket:
    """The same, when the process attends to it: what is asked for then has been heard."""
    peer = _open(path)
    try:
        receive(peer)
    except (OSError, EOFError):
        peer.close()
        raise
    return peer


def _listen(peer: socket.socket, stdout: Callable[[bytes], object]) -> Said:
    while True:
        kind, content = receive(peer)
        if kind != OUTPUT:
            return msgspec.json.decode(content, type=Said)
        stdout(content)


def _result(said: Said) -> Said:
    if said.failure is not None:
        raise _KINDS[said.kind](said.failure)
    return said
