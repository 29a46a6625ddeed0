"""Takes back what a run has elsewhere when no engine is at work on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sciflow.config import Settings
from sciflow.errors import HostError, RunError
from sciflow.executors.batch.record import open_records

if TYPE_CHECKING:
    from sciflow.executors.errand import End


def recall(root: Path, settings: Settings, *, conductor: str | None, running: bool, end: End | None) -> None:
    """Has the jobs of a run cancelled, wherever they are; the run's lock must be held.

    Args:
        root: the run folder.
        settings: where executors and storages are named.
        conductor: the executor that carries out the run as a whole, if one does.
        running: what runs is ended, too; else only what waits in a queue is taken out of it.
        end: how the run is ended by that; None: it is suspended.

    Raises:
        RunError: jobs are at an executor that the settings do not name.
        HostError: a machine or batch system gives no answer; the jobs at others are cancelled.
    """
    from sciflow.executors.registry import recall_run

    tables = settings.executors
    names = sorted({*(record.executor for record in open_records(root)), *filter(None, [conductor])})
    for name in names:
        if name not in tables:
            fix = f"add [executors.{name}] to sciflow.toml, as it was when the run was made, and do it again"
            raise RunError(f"{root}: jobs are at {name!r}, which the settings do not name\n    fix:      {fix}")
    troubles = []
    for name in names:
        try:
            recall_run(name, tables, settings.storages, root, running=running, end=end)
        except HostError as error:
            fix = f"do it again when it answers: the run has not ended; `sciflow doctor {name}` says more"
            trouble = type(error)(f"{root}: its jobs at {name!r} could not be cancelled: {error}\n    fix:      {fix}")
            troubles.append(trouble.with_traceback(error.__traceback__))
    if troubles:
        raise troubles[0]
