"""Takes back what a run has elsewhere when no engine is at work on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciflow.errors import HostError, RunError
from sciflow.executors.batch.record import open_records


def recall(root: Path, tables: Mapping[str, Mapping[str, Any]], *, conductor: str | None, running: bool) -> None:
    """Has the jobs of a run cancelled, wherever they are; the run's lock must be held.

    Args:
        root: the run folder.
        tables: the settings of executors.
        conductor: the executor that carries out the run as a whole, if one does.
        running: what runs is ended, too; else only what waits in a queue is taken out of it.

    Raises:
        RunError: jobs are at an executor that the settings do not name.
        HostError: a machine or batch system gives no answer; the jobs at others are cancelled.
    """
    from sciflow.executors.registry import recall_run

    names = sorted({*(record.executor for record in open_records(root)), *filter(None, [conductor])})
    for name in names:
        if name not in tables:
            fix = f"add [executors.{name}] to sciflow.toml, as it was when the run was made, and do it again"
            raise RunError(f"{root}: jobs are at {name!r}, which the settings do not name\n    fix:      {fix}")
    troubles = []
    for name in names:
        try:
            recall_run(name, tables, root, running=running)
        except HostError as error:
            fix = f"do it again when it answers: the run has not ended; `sciflow doctor {name}` says more"
            trouble = type(error)(f"{root}: its jobs at {name!r} could not be cancelled: {error}\n    fix:      {fix}")
            troubles.append(trouble.with_traceback(error.__traceback__))
    if troubles:
        raise troubles[0]
