"""Removes what runs have left on other machines; what is not home yet comes home before.

A run whose files there are gone can still be retried or resumed: `batches/cleared.json` says which submissions lie
there no more, and what later jobs need of them is sent anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from sciflow import config
from sciflow.core.records import Phase
from sciflow.engine.bringing import bring_tasks
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.run_folder import RunFolder, list_run_folders
from sciflow.errors import RunBusy, RunError, SciflowError
from sciflow.executors.batch.record import executors_of, is_open, read_cleared, write_cleared

Tables = Mapping[str, Mapping[str, Any]]


def remains(root: Path, tables: Tables) -> dict[str, list[str]]:
    """The submissions of a run whose files lie on another machine, by executor."""
    if not (root / "batches").is_dir():
        return {}
    from sciflow.executors.registry import lies_elsewhere

    cleared = read_cleared(root)
    found: dict[str, list[str]] = {}
    for batch, executor in executors_of(root).items():
        if batch not in cleared:
            found.setdefault(executor, []).append(batch)
    return {name: batches for name, batches in found.items() if name not in tables or lies_elsewhere(name, tables)}


def clear(folder: RunFolder, *, discard: bool = False) -> int:
    """Removes what a run has left elsewhere; bytes of contents that no run there needs any more.

    `discard`: what is not home yet is lost.

    Raises:
        RunBusy: an engine or jobs are at work on it.
        RunError: the place is not named by the settings, or has lost files.
        HostError: the machine is not to be reached now.
    """
    if folder.lock().held():
        raise RunBusy(f"{folder.root}: an engine is at work on this run; wait for it, or cancel it first")
    return _clear(folder.root, config.load().executors, discard=discard)


def _clear(root: Path, tables: Tables, *, discard: bool) -> int:
    from sciflow.executors.registry import clear_run

    left = remains(root, tables)
    if not left:
        return 0
    if is_open(root):
        fix = "sciflow resume it, or cancel it, before its files there are removed"
        raise RunBusy(f"{root}: jobs of this run may still be queued or running\n    fix:      {fix}")
    for name in left.keys() - tables.keys():
        fix = f"add [executors.{name}] to sciflow.toml, as it was when the run was made"
        raise RunError(f"{root}: its files lie at {name!r}, which the settings do not name\n    fix:      {fix}")
    if not discard:
        with closing(Reader(root / "run.db")) as reader:
            bring_tasks(Replica(root, reader), None)
    freed = 0
    for name, batches in left.items():
        freed += clear_run(name, tables, root)
        write_cleared(root, batches)
    return freed


def by_policy(folder: RunFolder, phase: Phase, *, warn: Callable[[str], None]) -> None:
    """Does what `cleanup` of the executors says at the end of a run, the run's engine being the caller."""
    from sciflow.executors.registry import cleanup_of

    tables = config.load().executors
    used = remains(folder.root, tables).keys() & tables.keys()
    policies = {name: cleanup_of(name, tables) for name in used}
    if policies and phase is Phase.SUCCEEDED and all(policy == "on_success" for policy in policies.values()):
        _attempt(folder.root, tables, warn)
    ages = [policy for policy in policies.values() if isinstance(policy, float)]
    if ages:
        for old in _older(folder, time.time() - max(ages)):
            if remains(old.root, tables).keys() & used:
                _attempt(old.root, tables, warn)


def _attempt(root: Path, tables: Tables, warn: Callable[[str], None]) -> None:
    try:
        _clear(root, tables, discard=False)
    except SciflowError as error:
        warn(f"the files of {root.name} on other machines are still there: {error}")


def _older(folder: RunFolder, before_s: float) -> Iterator[RunFolder]:
    """Other runs beside this one that ended before, on which nobody is at work."""
    for other in list_run_folders(folder.root.parent):
        if other.root == folder.root or not (other.root / "batches").is_dir() or other.lock().held():
            continue
        with closing(Reader(other.database)) as reader:
            ended = float(reader.text("ended") or "inf")
        if ended < before_s:
            yield other


class Remains(msgspec.Struct, frozen=True):
    """A run, and the executors at which it has left files."""

    folder: RunFolder
    executors: tuple[str, ...]


def all_remains(roots: Iterator[Path]) -> Iterator[Remains]:
    """Those of these runs that have left files elsewhere."""
    tables = config.load().executors
    for root in roots:
        left = remains(root, tables)
        if left:
            yield Remains(RunFolder(root), tuple(sorted(left)))
