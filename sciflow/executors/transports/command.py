"""One line of text that any login shell takes for the same program with the same arguments. Pure.

A server hands that line to the user's login shell, which may be sh, bash, csh, zsh or fish, and which may print before
it obeys (a `.bashrc` that says hello). So the line holds nothing that any of them reads in its own way, everything else
is written as octal numbers; and the program's output begins after a mark. The mark tells the number of the process
group, too, by which the program can be ended.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence

import msgspec

_PLAIN = re.compile(rb"[A-Za-z0-9_/.,:=@%+ -]")
# The marks go to both outputs. sh stays and waits: paramiko hears of a program's exit code, and not of its signal.
_SCRIPT = 'printf "%s %s\\n" {mark} $$; echo {mark} >&2; eval "$(printf %b "$1")"; exit $?'


class Command(msgspec.Struct, frozen=True):
    """What is sent, and the mark after which the program's own output begins."""

    line: str
    mark: str

    @property
    def opening(self) -> bytes:
        """What is found in standard output, followed by the number of the process group and a newline."""
        return f"{self.mark} ".encode()


def command(argv: Sequence[str]) -> Command:
    """The line for a program and its arguments, which may hold any character.

    Raises:
        ValueError: an argument holds a zero byte, which no program can be given.
    """
    text = shlex.join(argv).encode(errors="surrogateescape")
    if b"\0" in text:
        raise ValueError(f"an argument of {argv[0]} holds a zero byte")
    mark = f"sciflow-{secrets.token_hex(8)}"
    octal = "".join(chr(byte) if _PLAIN.match(bytes((byte,))) else f"\\0{byte:03o}" for byte in text)
    return Command(f"exec sh -c '{_SCRIPT.format(mark=mark)}' sh '{octal}'", mark)


class Opening:
    """Looks for the mark at the beginning of an output that arrives in blocks."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held: bytes | None = b""
        self.told = b""  # what stood behind the mark in its line

    @property
    def noise(self) -> bytes:
        """What came without a mark so far."""
        return self._held or b""

    @property
    def found(self) -> bool:
        """Whether the mark has come."""
        return self._held is None

    def feed(self, block: bytes) -> bytes:
        """What of this block is the program's own."""
        if self._held is None:
            return block
        self._held += block
        _, mark, rest = self._held.partition(self._mark)
        line, newline, own = rest.partition(b"\n")
        if not (mark and newline):
            return b""
        self._held, self.told = None, line
        return own
