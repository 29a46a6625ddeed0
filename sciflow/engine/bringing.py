"""Brings files of a run home that lie where they were made, for somebody who asks; no engine need be at work."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path

from sciflow import config
from sciflow.engine.elsewhere import files_elsewhere
from sciflow.engine.origin import stored_setup
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.rows import TaskRow
from sciflow.engine.stored_files import Placed, fetch_stored, read_index
from sciflow.engine.task_list import task_rows
from sciflow.errors import RunError
from sciflow.executors.conducted import noted_conductor
from sciflow.executors.registry import conducts


def bring_values(root: Path, texts: Iterable[bytes]) -> None:
    """Brings the files that values speak of, by paths in the run folder or by absolute ones.

    Raises:
        RunError: the place is not named by the settings, or has lost them.
        HostError: the place is not to be reached now.
    """
    wanted: dict[str, set[str]] = {}
    stored: dict[str, list[Placed]] = {}
    index = read_index(root)
    home = _adopter(root)
    for text in texts:
        for at, path in files_elsewhere(root, text, home=home or ("" if index else None)):
            if (root / path).exists():
                continue
            path = os.path.relpath(path, root) if os.path.isabs(path) else path  # noqa: PLW2901
            if path in index:
                stored.setdefault(index[path].at, []).append(index[path])
            elif at:
                wanted.setdefault(at, set()).add(path)
    _bring_stored(root, stored)
    _bring(root, wanted)


def _adopter(root: Path) -> str | None:
    """The executor that has also the files that the run was given: it was adopted, and they were not brought."""
    if not (root / "run.db").exists():
        return None
    with closing(Reader(root / "run.db")) as reader:
        return reader.text("adopted-from") or None


def bring_tasks(replica: Replica, path: str | None, *, of: Collection[str] | None = None) -> int:
    """Brings all that tasks have left: their outputs, and other files in their folders; the number of tasks looked at.

    `of`: only those of these submissions.

    Raises:
        RunError, HostError: see `bring_values`.
    """
    from sciflow.executors.batch.record import executors_of, read_removed

    rows = [(task, row) for task, row in task_rows(replica, path) if of is None or _submission(row) in of]
    makers, removed = executors_of(replica.root), read_removed(replica.root)
    conductor = conductor_of(replica)
    folders: dict[str, set[str]] = {}
    for task_path, row in rows:
        at, folder = makers.get(_submission(row), conductor), f"tasks/{task_path}"
        gone = not noted_conductor(replica.root) if at == conductor else _submission(row) in removed
        came_home = gone and (replica.root / folder).exists()  # before they were removed there
        if at is not None and row.extra is not None and row.extra.files and not came_home:
            folders.setdefault(at, set()).add(folder)
    _bring(replica.root, folders)
    bring_values(replica.root, [row.output for _, row in rows if row.output is not None])
    return len(rows)


def conductor_of(replica: Replica) -> str | None:
    """The executor that has carried out the run as a whole, if one has."""
    name = stored_setup(replica.reader).executor
    return name if conducts(name, config.load().executors) else None


def _submission(row: TaskRow) -> str:
    """The submission that a task was part of; its worker's name begins with it."""
    return row.worker.rpartition("-")[0]


def _bring_stored(root: Path, stored: dict[str, list[Placed]]) -> None:
    for name, placed in stored.items():
        _check_none(fetch_stored(name, config.load().storages, root, placed))


def _bring(root: Path, wanted: dict[str, set[str]]) -> None:
    if not wanted:
        return
    if not root.is_dir():
        raise RunError(f"{root}: the run's folder is gone")
    from sciflow.executors.registry import fetch_files

    settings = config.load()
    for at, paths in wanted.items():
        if at not in settings.executors:
            fix = f"add [executors.{at}] to sciflow.toml, as it was when the run was made"
            raise RunError(f"{min(paths)} lies at {at!r}, which the settings do not name\n    fix:      {fix}")
        _check_none(fetch_files(at, settings.executors, root, sorted(paths), settings.storages))


def _check_none(lost: Mapping[str, str]) -> None:
    if lost:
        raise RunError("\n".join(lost[path] for path in sorted(lost)))
