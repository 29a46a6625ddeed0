"""A line and a tar archive, put together while they are read: nothing is copied to make them, however much it is."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

BLOCK_BYTES = 1 << 18
END = bytes(2 * tarfile.BLOCKSIZE)

Member: TypeAlias = tuple[str, Path | bytes]  # its name there, and its content


class Stream(msgspec.Struct, frozen=True):
    """To be gone through as often as need be: each time it is read anew."""

    head: bytes
    members: Sequence[Member]

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, in blocks of some size.

        Raises:
            OSError: a file cannot be read, or has become shorter meanwhile.
        """
        held = bytearray(self.head + b"\n")
        for name, content in self.members:
            for piece in _pieces(name, content):
                held += piece
                if len(held) >= BLOCK_BYTES:
                    yield bytes(held)
                    held.clear()
        yield bytes(held) + END


def _pieces(name: str, content: Path | bytes) -> Iterator[bytes]:
    """A member: its header, its content, zeros up to a whole block."""
    if isinstance(content, bytes):
        yield _header(name, len(content))
        yield content
        yield bytes(-len(content) % tarfile.BLOCKSIZE)
        return
    size = content.stat().st_size
    yield _header(name, size)
    with content.open("rb") as file:
        left = size
        while left:
            block = file.read(min(left, BLOCK_BYTES))
            if not block:
                raise OSError(errno.EIO, "it became shorter while it was sent", str(content))
            left -= len(block)
            yield block
    yield bytes(-size % tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)
