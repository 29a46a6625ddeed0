"""What an SSH transport needs of a connection: one call, over a channel of its own or through another process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from sciflow.errors import HostUnreachable
from sciflow.executors.transports.command import Command

BLOCK_BYTES = 1 << 18


class Ended(msgspec.Struct, frozen=True):
    """How a program ended: its exit code (128 + n after signal n), its standard error."""

    code: int
    stderr: bytes


class Unbegun(HostUnreachable):
    """The connection broke before the program was started: to be tried again on another one, at once."""


class Link(Protocol):
    """A connection that is logged in. Its methods may be called from several threads."""

    def call(
        self, command: Command, stdin: Iterable[bytes], stdout: Callable[[bytes], object], *, timeout_s: float
    ) -> Ended:
        """Runs a program to its end; what it writes is handed on as it comes.

        Raises:
            Unbegun: the connection is broken, nothing was run.
            HostUnreachable: the connection broke while it ran.
            HostRefused: the host runs no programs for this user.
            CommandTimedOut: it took longer and was ended.
        """

    @property
    def alive(self) -> bool:
        """Whether it is worth another call."""

    def close(self) -> None:
        """Ends it, and what runs over it."""


def blocks(source: bytes | Path, *, offset: int = 0) -> Iterator[bytes]:
    """The content of a file or of a value from there on, in parts."""
    if isinstance(source, bytes):
        view = memoryview(source)[offset:]
        yield from (view[at : at + BLOCK_BYTES].tobytes() for at in range(0, len(view), BLOCK_BYTES))
        return
    with source.open("rb") as file:
        file.seek(offset)
        while block := file.read(BLOCK_BYTES):
            yield block
