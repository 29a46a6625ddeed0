"""What SQLite says of a run's database, in words that help; and how it is told to read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sciflow.errors import RunDamaged

ROOM = "make room on the disk, then `sciflow resume`; all that was recorded is kept"


@contextmanager
def clear(path: Path) -> Iterator[None]:
    """Turns SQLite's words into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise RunDamaged(f"{path}: {error}\n    fix:      {_advice(str(error))}") from error


def _advice(message: str) -> str:
    if "full" in message or "disk I/O" in message:
        return ROOM
    if "readonly" in message or "unable to open" in message:
        return "check that the folder exists and that you may write in it"
    if "malformed" in message or "not a database" in message:
        return "the file is damaged: restore it from a copy; the results under tasks/ are still there"
    if "no such table" in message:
        return "the run was never wholly made; remove its folder and start it again"
    return "see that no other program writes to the run's folder"


def read_only_uri(path: Path) -> str:
    """SQLite's own spelling (sqlite.org/uri.html, 3.1); `Path.as_uri` would import a tenth of the start-up time."""
    text = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{text}?mode=ro"
