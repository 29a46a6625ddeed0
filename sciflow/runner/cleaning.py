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


def clean(request: Tree) -> None:
    """Remove the runs that are named, and what is older than told; answer with what was removed.

    `runs`: ids; `run_age_s`, `blob_age_s`, `code_age_s`: null, or the age from which all of them are removed, of
    contents those that no run has. A run with elements at work stays unless `force` is said; one of the runs that are
    named stays if it has other submissions than `batches`, where that is told. `live` in the answer: the submissions
    of the busy runs with elements that have begun and not ended, or were killed.
    """
    work_root = request["work_root"]
    runs = [*request.get("runs", ()), *([os.path.basename(request["root"])] if request.get("root") else [])]
    for name in runs:
        if not name or "/" in name or name.startswith("."):
            raise Refusal(f"{name!r} is no run's id")
    old = [entry.name for entry in _older(f"{work_root}/runs", request.get("run_age_s"))]
    removed: list[str] = []
    busy: list[str] = []
    kept: list[str] = []
    live: list[str] = []
    for name in dict.fromkeys([*runs, *old]):
        folder = f"{work_root}/runs/{name}"
        at_work = [] if request.get("force") else _at_work(folder)
        if name in runs and _others(folder, request.get("batches")):
            kept.append(name)
        elif at_work:
            busy.append(name)
            live += at_work
        elif os.path.isdir(folder):
            removed.append(name)
            remove(folder)
    freed = _contents(f"{work_root}/blobs", request.get("blob_age_s"), links=1)
    freed += _contents(f"{work_root}/code", request.get("code_age_s"))
    told = {"runs": removed, "busy": busy, "kept": kept, "live": live, "freed_bytes": freed}
    sys.stdout.write(dump(told) + "\n")


def _older(folder: str, age_s: float | None) -> Sequence[os.DirEntry[str]]:
    if age_s is None or not os.path.isdir(folder):
        return ()
    limit = time.time() - age_s
    return [entry for entry in os.scandir(folder) if entry.stat(follow_symlinks=False).st_mtime <= limit]


def _others(folder: str, batches: Sequence[str] | None) -> bool:
    """Whether there are more submissions than these."""
    return batches is not None and not set(_submissions(folder)) <= set(batches)


def _at_work(folder: str) -> list[str]:
    """The submissions of a run with elements that have begun and not ended."""
    lives = ((name, f"{folder}/batches/{name}/live") for name in _submissions(folder))
    return [name for name, live in lives if os.path.isdir(live) and os.listdir(live)]


def _submissions(folder: str) -> Sequence[str]:
    batches = f"{folder}/batches"
    return sorted(os.listdir(batches)) if os.path.isdir(batches) else ()


def _contents(folder: str, age_s: float | None, *, links: int = 0) -> int:
    """Remove what is old, with no more than so many links (0: any number); bytes freed."""
    freed = 0
    for entry in _older(folder, age_s):
        found = entry.stat(follow_symlinks=False)
        if _OURS.fullmatch(entry.name) and (not links or found.st_nlink <= links):
            freed += found.st_size
            remove(entry.path)
    return freed
