"""A machine by SSH: what `ssh HOST` reaches, with the same configuration, keys and known hosts.

A connection that `sciflow connect` keeps is used if there is one; otherwise the transport makes its own, if that needs
nobody's input. How long it waits between attempts to connect grows: a host that is down is not knocked at all day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sciflow.errors import CommandTimedOut, HostUnreachable
from sciflow.executors.transports import transfer
from sciflow.executors.transports.command import command
from sciflow.executors.transports.kept_connection import find
from sciflow.executors.transports.link import Link, Unbegun, blocks
from sciflow.executors.transports.redial import FIRST_PAUSE_S, Redial
from sciflow.executors.transports.ssh_config import route
from sciflow.executors.transports.transport import Output

RECONNECTING_S = 60.0  # how long a transfer that was cut waits for the host before it gives up


class SshTransport:
    """A machine by SSH; `host` is what one would type after `ssh`.

    Exit codes are those of a shell: 128 + n after signal n, 127 for a program that is not there. A program's process
    group is killed at its time limit if the host still answers.
    """

    def __init__(
        self,
        host: str,
        *,
        user: str | None = None,
        port: int | None = None,
        config: Path | None = None,
        connect_timeout_s: float = 30.0,
        keepalive_s: float = 15.0,
    ) -> None:
        """`config`: another file than `~/.ssh/config`. Silence of three times `keepalive_s` is a broken connection."""
        self._hops = route(host, user=user, port=port, config=config)
        self.name = self._hops[-1].name
        self._redial = Redial(self._hops, connect_timeout_s=connect_timeout_s, keepalive_s=keepalive_s)

    def __repr__(self) -> str:
        return f"SshTransport({self._hops[-1].alias!r})"

    def run(self, argv: Sequence[str], *, stdin: bytes | Iterable[bytes] = b"", timeout_s: float) -> Output:
        end = time.monotonic() + timeout_s
        sent = command(argv)

        def call(link: Link) -> Output:
            out: list[bytes] = []
            ended = link.call(sent, _input(stdin), out.append, timeout_s=_left(end))
            return Output(code=ended.code, stdout=b"".join(out), stderr=ended.stderr)

        try:
            try:
                return call(self._linked(end))
            except Unbegun:  # it broke while nobody looked
                return call(self._linked(end))
        except CommandTimedOut as error:
            raise CommandTimedOut(f"{self.name}: {argv[0]} took longer than {timeout_s:g} s and was ended") from error

    def put(self, source: Path, target: str, *, timeout_s: float) -> None:
        def once(link: Link, left_s: float) -> None:
            transfer.put(link, source, target, host=self.name, timeout_s=left_s)

        self._steadily(once, timeout_s)

    def get(self, source: str, target: Path, *, timeout_s: float) -> None:
        def once(link: Link, left_s: float) -> None:
            transfer.get(link, source, target, host=self.name, timeout_s=left_s)

        self._steadily(once, timeout_s)

    def close(self) -> None:
        self._redial.close()

    def _steadily(self, once: Callable[[Link, float], None], timeout_s: float) -> None:
        """A transfer that goes on where it was when the connection broke."""
        end = give_up = time.monotonic() + timeout_s
        while True:
            try:
                link = self._linked(end)
                give_up = end
                once(link, _left(end))
            except CommandTimedOut:
                raise
            except HostUnreachable:
                now = time.monotonic()
                give_up = min(give_up, now + RECONNECTING_S)
                pause = max(FIRST_PAUSE_S, self._redial.pause_s)
                if now + pause >= give_up:
                    raise
                time.sleep(pause)
            else:
                return

    def _linked(self, end: float) -> Link:
        return find(self._hops) or self._redial.get(end)


def _input(stdin: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return blocks(stdin) if isinstance(stdin, bytes) else stdin


def _left(end: float) -> float:
    return max(0.05, end - time.monotonic())
