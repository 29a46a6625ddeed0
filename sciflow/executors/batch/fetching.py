"""Brings files of a run home from a host: each beside its place first, its content checked by whoever reads it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from sciflow.executors.archive import unpack
from sciflow.executors.batch.depot import Depot
from sciflow.executors.lost_files import gone


def fetch(depot: Depot, root: str, here: Path, paths: Sequence[str]) -> Mapping[str, str]:
    """Brings files and folders under `root` to the same paths in the run folder; of those that are not to be had, why.

    What is here stays as it is; of a folder that is here in part, the rest is brought.

    Raises:
        HostUnreachable: to be done again.
    """
    (here / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=here / "work", prefix="fetched-") as name:
        beside, wanted = Path(name), _outermost(paths)
        archive = beside / "archive.tar"
        lost = depot.pack(root, wanted, archive)
        came = [path for path in wanted if path not in lost]
        if came:
            unpack(archive, beside / "files")
        for path in came:
            _place(beside / "files" / path, here / path)
    place = f"{depot.transport.name}: {root}"
    return {path: gone(f"{place}/{path}", here, why) for path in paths if (why := _why(path, lost, here))}


def _why(path: str, lost: Mapping[str, str], here: Path) -> str:
    """Why a path has not come, alone or with a folder that holds it."""
    above = (path, *map(str, PurePosixPath(path).parents))
    said = next((lost[outer] for outer in above if outer in lost), "")
    return said or ("" if os.path.lexists(here / path) else os.strerror(errno.ENOENT))


def _outermost(paths: Sequence[str]) -> list[str]:
    """Without those that lie in another one."""
    wanted = set(paths)
    return [path for path in sorted(wanted) if not any(str(above) in wanted for above in PurePosixPath(path).parents)]


def _place(came: Path, target: Path) -> None:
    if not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(came, target)
    elif came.is_dir() and not came.is_symlink():
        for entry in os.listdir(came):
            _place(came / entry, target / entry)
