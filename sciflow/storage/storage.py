"""The contract of every place where artifacts are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import msgspec


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put: under which key, and its content."""

    key: str
    kind: Literal["file", "folder"]
    sha256: str  # of a folder: over its sorted entries, see `runner.hashing.folder_hash`
    size: int


class Storage(Protocol):
    """Keeps files and folders under keys. What is under a key is whole, or it is not there."""

    def put(self, source: Path, key: Callable[[str], str]) -> Stored:
        """Stores a file or folder under `key(sha256)`; what is there under that key stays.

        Raises:
            OSError: it cannot be read, or there is no room.
        """

    def get(self, stored: Stored, target: Path) -> None:
        """Brings what was stored to `target`, which does not exist yet.

        Raises:
            PlaceError: its content is not what was put.
        """

    def exists(self, key: str) -> bool:
        """Whether there is something under a key."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key that begins so, in order."""

    def copy(self, key: str, to: str) -> None:
        """Stores under another key what is under this one."""

    def delete(self, key: str) -> None:
        """Removes what is under a key, if anything is."""
