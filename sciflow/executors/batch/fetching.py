"""Brings files of a run home from a host: each beside its place first, its content checked by whoever reads it."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sciflow.executors.batch.depot import Depot


def fetch(depot: Depot, root: str, here: Path, paths: Sequence[str]) -> str:
    """Brings files and folders under `root` to the same paths in the run folder; why not, if they are not to be had.

    Raises:
        HostUnreachable: to be done again.
    """
    wanted = [path for path in paths if not (here / path).exists()]
    if not wanted:
        return ""
    with tempfile.NamedTemporaryFile(dir=here / "work", prefix="fetched-") as file:
        problem = depot.pack(root, wanted, Path(file.name))
        if problem:
            return problem
        return _unpack(Path(file.name), here, wanted)


def _unpack(archive: Path, here: Path, wanted: Sequence[str]) -> str:
    beside = Path(tempfile.mkdtemp(dir=here / "work", prefix="fetched-"))
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(beside, filter="tar")
        for path in wanted:
            if not (beside / path).exists():
                return f"{path} is not there any more"
            (here / path).parent.mkdir(parents=True, exist_ok=True)
            if not (here / path).exists():
                os.rename(beside / path, here / path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return ""
