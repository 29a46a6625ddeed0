"""Which files of a run lie in a storage, and under which key: lines of the file `stored` in the run's folder.

A file or folder of the run that is not in its folder any more, and is named there, is brought from the storage.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sciflow.config import Tables
from sciflow.engine.patience import lacks_room
from sciflow.errors import HostUnreachable
from sciflow.runner.failures import PlaceError
from sciflow.runner.removal import remove
from sciflow.storage.storage import Storage, Stored

INDEX = "stored"


class Placed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a file of the run lies."""

    at: str  # the storage's name
    path: str  # under the run's folder
    stored: Stored
    inside: str = ""  # of a folder that many small files were stored as: which of its entries it is


def read_index(root: Path) -> dict[str, Placed]:
    """What is stored of a run, by path; a last line that a dying engine has left half does not count."""
    try:
        text = (root / INDEX).read_bytes()
    except FileNotFoundError:
        return {}
    decoder = msgspec.json.Decoder(Placed)
    return {placed.path: placed for placed in map(decoder.decode, text.split(b"\n")[:-1])}


def append(root: Path, made: Iterable[Placed]) -> None:
    """Adds to the index."""
    text = b"".join(msgspec.json.encode(placed) + b"\n" for placed in made)
    fd = os.open(root / INDEX, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            os.ftruncate(fd, os.pread(fd, size, 0).rfind(b"\n") + 1)
        os.write(fd, text)
    finally:
        os.close(fd)


def bring(storage: Storage, root: Path, wanted: Iterable[Placed]) -> dict[str, str]:
    """Brings what is not in the run's folder, of what was stored together all; of what is not to be had, why.

    Raises:
        HostError: the storage is not to be had now, or there is no room here.
    """
    lost: dict[str, str] = {}
    by_key: dict[str, list[Placed]] = {}
    for placed in wanted:
        by_key.setdefault(placed.stored.key, []).append(placed)
    for parts in by_key.values():
        missing = [part for part in parts if not os.path.lexists(root / part.path)]
        if missing:
            try:
                _bring_one(storage, root, missing)
            except (OSError, PlaceError) as error:
                if isinstance(error, OSError) and lacks_room(error):  # not the storage's fault: waited for
                    raise HostUnreachable(f"{root}: {error.strerror}: make room on its disk") from error
                from sciflow.executors.lost_files import gone

                lost |= {part.path: gone(part.path, root, str(error)) for part in missing}
    return lost


def _bring_one(storage: Storage, root: Path, parts: list[Placed]) -> None:
    import tempfile  # not needed where nothing is stored

    (root / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root / "work", prefix="stored-") as beside:
        whole = Path(beside) / "whole"
        storage.get(parts[0].stored, whole)
        for part in parts:
            target = root / part.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                os.rename(whole / part.inside if part.inside else whole, target)


def fetch_stored(name: str, tables: Tables, root: Path, placed: Iterable[Placed]) -> Mapping[str, str]:
    """Brings files from a storage of the settings; of those that are not to be had, why.

    Raises:
        ConfigError: the settings do not name it, or will not do.
        HostError: the storage is not to be had now.
    """
    from sciflow.storage.registry import make_storage

    return bring(make_storage(name, tables), root, placed)


def release(root: Path) -> int:
    """Removes from the run's folder what lies in its storage too; how many files and folders.

    Only for a run on which no engine is at work.
    """
    here = [path for path in read_index(root) if os.path.lexists(root / path)]
    for path in here:
        remove(str(root / path))
    return len(here)
