"""Removes what runs have left on other machines; what is not home yet comes home before.

A run whose files there are gone can still be retried or resumed: what later jobs need of them is sent anew. That they
are going is written down before they go, and that they are gone after: a death in between loses nothing. The run's lock
is held all the time, so that no engine begins to work on it meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from sciflow import config
from sciflow.config import Tables
from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine.bringing import bring_tasks
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.run_folder import RunFolder, list_run_folders
from sciflow.errors import RunBusy, RunError, SciflowError
from sciflow.executors.batch.record import (
    begin_clearing,
    close_records,
    end_clearing,
    executors_of,
    open_records,
    read_removed,
)
from sciflow.executors.conducted import forget_conductor, noted_conductor

Left = Mapping[str, Sequence[str]]  # submissions whose files lie elsewhere, by executor


def remains(root: Path, tables: Tables) -> Left:
    """The submissions of a run whose files lie on another machine, by executor; none of one that had all of the run."""
    whole: dict[str, list[str]] = {name: [] for name in [noted_conductor(root)] if name}
    if not (root / "batches").is_dir():
        return whole
    from sciflow.executors.registry import lies_elsewhere

    removed = read_removed(root)
    found = whole
    for batch, executor in executors_of(root).items():
        if batch not in removed:
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
    tables = config.load().executors
    with folder.lock():
        return _clear(folder.root, tables, remains(folder.root, tables), discard=discard)


def weight(found: Remains) -> int | None:
    """The bytes that a run has left at executors; None where nobody tells.

    Raises:
        HostError: the machine is not to be reached now.
    """
    from sciflow.executors.registry import weigh_whole

    settings, root = config.load(), found.folder.root
    if found.executors != (noted_conductor(root),) or found.executors[0] not in settings.executors:
        return None
    return weigh_whole(found.executors[0], settings.executors, settings.storages, root)


def _clear(root: Path, tables: Tables, left: Left, *, discard: bool) -> int:
    """Does so for the submissions `left`; where a run has others at the same place, all of them stay."""
    if not left:
        return 0
    for name in left.keys() - tables.keys():
        fix = f"add [executors.{name}] to sciflow.toml, as it was when the run was made"
        raise RunError(f"{root}: its files lie at {name!r}, which the settings do not name\n    fix:      {fix}")
    whole = [name for name, batches in left.items() if not batches]
    freed = sum(_clear_whole(name, tables, root, discard=discard) for name in whole)
    parts = {name: batches for name, batches in left.items() if batches}
    return freed + (_clear_parts(root, tables, parts, discard=discard) if parts else 0)


def _clear_whole(name: str, tables: Tables, root: Path, *, discard: bool) -> int:
    """The same of an executor that has carried out the run as a whole."""
    from sciflow.executors.registry import clear_whole

    with closing(Reader(root / "run.db")) as reader:
        if reader.text("phase") not in RUN_ENDS:
            fix = "sciflow resume it, or cancel it, before its files there are removed"
            raise RunBusy(f"{root}: the run is not over\n    fix:      {fix}")
        if not discard:
            bring_tasks(Replica(root, reader), None)
    freed = clear_whole(name, tables, config.load().storages, root)
    forget_conductor(root)
    return freed


def _clear_parts(root: Path, tables: Tables, left: Left, *, discard: bool) -> int:
    names = {batch for batches in left.values() for batch in batches}
    with closing(Reader(root / "run.db")) as reader:
        wanted = _close_collected(root, names, reader)
        if not discard:
            if wanted:
                fix = "sciflow resume it, or cancel it, before its files there are removed"
                raise RunBusy(f"{root}: jobs of this run may still be queued or running\n    fix:      {fix}")
            bring_tasks(Replica(root, reader), None, of=names)
    going = {*read_removed(root), *names}
    return sum(_clear_at(name, tables, root, batches, going) for name, batches in left.items())


def _close_collected(root: Path, names: Collection[str], reader: Reader) -> Collection[str]:
    """Those of some submissions of which something may still come: the records lack ends of their tasks.

    Of the others that is written down: what waits in a queue for them, queued again by an operator, is not wanted.
    """
    wanted, collected = set[str](), set[str]()
    for record in open_records(root):
        if record.name in names:
            tasks = (task for element in record.elements for task in element)
            over = all(reader.is_over(task.path, task.attempt) for task in tasks)
            (collected if over else wanted).add(record.name)
    close_records(root, collected)
    return wanted


def _clear_at(name: str, tables: Tables, root: Path, batches: Sequence[str], going: Collection[str]) -> int:
    from sciflow.executors.registry import clear_run

    begin_clearing(root, batches)
    try:
        freed = clear_run(name, tables, root, going)
    except RunBusy:
        end_clearing(root, batches, removed=False)
        raise
    if freed is not None:
        close_records(root, batches)
    end_clearing(root, batches, removed=freed is not None)
    return freed or 0


def by_policy(folder: RunFolder, phase: Phase, *, warn: Callable[[str], None]) -> None:
    """Does what `cleanup` of each executor says at the end of a run, the run's engine being the caller.

    What keeps it from being done is told, and changes nothing of what the run has come to.
    """
    from sciflow.executors.registry import cleanup_of

    tables: Tables = {}
    policies: dict[str, str | float] = {}
    with _told(folder, warn):
        tables = config.load().executors
        left = remains(folder.root, tables)
        policies = {name: cleanup_of(name, tables) for name in left.keys() & tables.keys()}
        _clear(folder.root, tables, {name: left[name] for name in _due(policies, phase, 0.0)}, discard=False)
    aged = {name for name, policy in policies.items() if isinstance(policy, float)}
    for old in list_run_folders(folder.root.parent) if aged else ():
        left_some = (old.root / "batches").is_dir() or noted_conductor(old.root)
        if old.root != folder.root and left_some and not old.lock().held():
            with _told(old, warn), old.lock():
                _clear_old(old, tables, policies, aged)


@contextmanager
def _told(folder: RunFolder, warn: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except SciflowError as error:
        warn(f"the files of {folder.id} on other machines are still there: {error}")


def _clear_old(old: RunFolder, tables: Tables, policies: Mapping[str, str | float], aged: AbstractSet[str]) -> None:
    """The same for another run, if it has ended, and long enough ago for one of `aged`; its lock must be held."""
    with closing(Reader(old.database)) as reader:
        ended, phase = reader.text("ended"), reader.text("phase")
        if reader.text("adopted"):  # it is for who began it to say how long it is needed
            return
    due = _due(policies, Phase(phase), time.time() - float(ended)) if ended else set()
    if due & aged:
        left = remains(old.root, tables)
        _clear(old.root, tables, {name: left[name] for name in due & left.keys()}, discard=False)


def _due(policies: Mapping[str, str | float], phase: Phase, age_s: float) -> set[str]:
    """The executors that do not keep the files of a run that has come to this, so long ago."""
    return {
        name
        for name, policy in policies.items()
        if (policy < age_s if isinstance(policy, float) else policy == "on_success" and phase is Phase.SUCCEEDED)
    }


class Remains(msgspec.Struct, frozen=True):
    """A run, and the executors at which it has left files."""

    folder: RunFolder
    executors: tuple[str, ...]
    adopted: bool  # somebody else has begun it


def all_remains(roots: Iterator[Path]) -> Iterator[Remains]:
    """Those of these runs that have left files elsewhere."""
    tables = config.load().executors
    for root in roots:
        left = remains(root, tables)
        if left:
            folder = RunFolder(root)
            with closing(Reader(folder.database)) as reader:
                yield Remains(folder, tuple(sorted(left)), adopted=bool(reader.text("adopted")))
