"""Brings files of a run home from a host: each beside its place first, its content checked by whoever reads it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sciflow.executors.batch.archive import unpack
from sciflow.executors.batch.depot import Depot


def fetch(depot: Depot, root: str, here: Path, paths: Sequence[str]) -> str:
    """Brings files and folders under `root` to the same paths in the run folder; why not, if they are not to be had.

    What is here stays as it is; of a folder that is here in part, the rest is brought.

    Raises:
        HostUnreachable: to be done again.
    """
    paths = _outermost(paths)
    (here / "work").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=here / "work", prefix="fetched-") as name:
        beside = Path(name)
        archive = beside / "archive.tar"
        problem = depot.pack(root, paths, archive)
        if problem:
            return problem
        unpack(archive, beside / "files")
        for path in paths:
            _place(beside / "files" / path, here / path)
    return ""


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
