"""The contract of every way to reach a machine: run a program there, bring files to and fro."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a program that has ended said."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def said(self) -> str:
        """Its own words, for messages: standard error, else standard output."""
        return (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")


class Transport(Protocol):
    """A machine within reach. Its methods may be called from several threads, wait, and have a time limit each.

    Raises:
        HostUnreachable: the machine does not answer, now; the call may be made again.
        HostRefused: it answers, and somebody has to do something first; the message says what.
    """

    name: str  # of the machine, for messages

    def run(self, argv: Sequence[str], *, stdin: bytes | Iterable[bytes] = b"", timeout_s: float) -> Output:
        """Runs a program without a shell's start-up files and waits for its end.

        Args:
            argv: the program and its arguments.
            stdin: what it reads; blocks are asked for while they are sent, and from the first one on if the connection
                breaks before the program begins.
            timeout_s: it is ended then.

        Raises:
            OSError: the next block of `stdin` cannot be had.
            CommandTimedOut: it took longer; it is ended, as far as the connection allows.
        """

    def put(self, source: Path, target: str, *, timeout_s: float) -> None:
        """Brings a file to an absolute path there: whole or not at all.

        What came across before the connection broke is not sent again.
        """

    def get(self, source: str, target: Path, *, timeout_s: float) -> None:
        """Brings a file from there, with the same guarantees as `put`."""

    def close(self) -> None:
        """Gives the connection back."""
