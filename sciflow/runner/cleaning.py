"""`host clean`: removes runs, and contents and code that no run needs any more."""

from __future__ import annotations

import os
import re
import sys
import time

from sciflow.runner.refusal import Refusal
from sciflow.runner.removal import remove
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    Tree = Any

# `.<name>.<12 hexadecimal digits>` is something on its way to its place, or left by somebody who was killed
_OURS = re.compile(r"[0-9a-f]{64}(\.zip(\.[a-z]+-\d+)?|\.tar)?|\..+\.[0-9a-f]{12}(\.tar)?")
_CODE = re.compile(rb"code/([0-9a-f]{64})")
HASH = 64


def clean(request: Tree) -> None:
    """Remove the runs that are named, and what is older than told; answer with what was removed.

    `runs`: ids of runs of which nothing is at work any more; one of them stays if it has other submissions than
    `batches`, where that is told. `blob_age_s`, `code_age_s`: null, or for how long nobody has asked for contents and
    code that are removed; those that a run has stay.
    """
    work_root, runs = request["work_root"], request.get("runs", ())
    for name in runs:
        if not name or "/" in name or name.startswith("."):
            raise Refusal(f"{name!r} is no run's id")
    removed: list[str] = []
    kept: list[str] = []
    for name in dict.fromkeys(runs):
        folder = f"{work_root}/runs/{name}"
        if _others(folder, request.get("batches")):
            kept.append(name)
        elif os.path.isdir(folder):
            removed.append(name)
            remove(folder)
    freed = _drop(_unlinked(f"{work_root}/blobs", request.get("blob_age_s")))
    freed += _drop(_unused(work_root, request.get("code_age_s")))
    told = {"runs": removed, "kept": kept, "freed_bytes": freed}
    sys.stdout.write(dump(told) + "\n")


def _older(folder: str, age_s: float | None) -> Sequence[os.DirEntry[str]]:
    if age_s is None or not os.path.isdir(folder):
        return ()
    limit = time.time() - age_s
    ours = (entry for entry in os.scandir(folder) if _OURS.fullmatch(entry.name))
    return [entry for entry in ours if entry.stat(follow_symlinks=False).st_mtime <= limit]


def _others(folder: str, batches: Sequence[str] | None) -> bool:
    """Whether there are more submissions than these."""
    return batches is not None and not set(_submissions(folder)) <= set(batches)


def _submissions(folder: str) -> Sequence[str]:
    batches = f"{folder}/batches"
    return sorted(os.listdir(batches)) if os.path.isdir(batches) else ()


def _unlinked(blobs: str, age_s: float | None) -> Sequence[os.DirEntry[str]]:
    """Old contents that no run has."""
    return [entry for entry in _older(blobs, age_s) if entry.stat(follow_symlinks=False).st_nlink == 1]


def _unused(work_root: str, age_s: float | None) -> Sequence[os.DirEntry[str]]:
    """Old code of which no submission that is here speaks: its jobs may still wait, however old it is."""
    old = _older(f"{work_root}/code", age_s)
    used = _spoken_of(f"{work_root}/runs") if old else set()
    return [entry for entry in old if entry.name[:HASH] not in used]


def _spoken_of(runs: str) -> set[str]:
    """The hashes of all code that submissions use, and of the runner that does this."""
    texts = [os.path.abspath(sys.argv[0]).encode()]
    for run in os.listdir(runs) if os.path.isdir(runs) else ():
        for name in _submissions(f"{runs}/{run}"):
            texts += [_content(f"{runs}/{run}/batches/{name}/{file}") for file in ("index.json", "script.sh")]
    return {found.decode() for text in texts for found in _CODE.findall(text)}


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _drop(entries: Sequence[os.DirEntry[str]]) -> int:
    """Remove them; bytes freed."""
    freed = 0
    for entry in entries:
        freed += entry.stat(follow_symlinks=False).st_size
        remove(entry.path)
    return freed
