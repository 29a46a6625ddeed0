"""What a file or folder was when it was made, and whether what comes from the bucket is that."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from sciflow.errors import RunDamaged
from sciflow.runner.hashing import file_hash, folder_hash


class Content(msgspec.Struct, frozen=True, array_like=True):
    """That of a folder: see `runner.hashing.folder_hash`."""

    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.size:,} bytes, SHA-256 {self.sha256[:12]}"


class Changed(RunDamaged):
    """What comes is not what was left there, which may pass: something on the way may have answered in its place."""


def changed_from(expected: object, found: object) -> str:
    """What is said of what is not what was left there."""
    return f"not what was left there\n    expected: {expected}\n    found:    {found}"


def content_of(place: Path, programs: Collection[str] = ()) -> Content:
    """What a file is now, or a folder in which these are programs: not all file systems know."""
    sha256, size = folder_hash(str(place), programs=programs) if place.is_dir() else file_hash(str(place))
    return Content(size, sha256)
