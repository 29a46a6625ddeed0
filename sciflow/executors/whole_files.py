"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path


def put_whole(path: Path, content: bytes, *, lasting: bool) -> None:
    """Writes a file whole or not at all; `lasting`: it is there after a loss of power."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    if lasting:
        sync(beside)
    os.replace(beside, path)
    if lasting:
        sync(path.parent)


def sync(path: Path) -> None:
    """What is written of a file, or which files a folder has, outlives a loss of power."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
