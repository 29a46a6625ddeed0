"""How the end of a run is written down, by its engine or where none is at work; the run's database, opened to write."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

from sciflow import config
from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine.origin import stored_setup
from sciflow.engine.recall import recall
from sciflow.engine.records_db import Reader
from sciflow.engine.records_writer import Writer
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.setup import RunSetup
from sciflow.executors.batch.record import is_open
from sciflow.executors.errand import End
from sciflow.executors.registry import conducts
from sciflow.storage.mounts import on_network


def open_writer(folder: RunFolder) -> Writer:
    """The run's database, to write; the lock must be held."""
    return Writer(folder.database, full=_setup(folder).durable == "full", network=on_network(folder.root))


def settings_of(setup: RunSetup) -> config.Settings:
    """The settings where the run was made, if that folder is still there."""
    return config.load(start=Path(setup.cwd) if os.path.isdir(setup.cwd) else None)


def put_end(db: Writer, phase: Phase, message: str, *, because: str = "", ended: float | None = None) -> None:
    """Writes down what a run has come to, now or at the moment `ended`."""
    for name, value in {
        "phase": phase.value,
        "message": message,
        "because": because,
        "ended": str(ended or time.time()),
    }.items():
        db.put_fact(name, value)
    db.put_event(time.time(), "ended", f"{phase.value}: {message}" if message else phase.value)
    db.commit()


def end_without_engine(folder: RunFolder, phase: Phase, message: str) -> None:
    """Writes down that a run has ended on which no engine is at work.

    Raises:
        RunBusy: one is.
        RunDamaged: the folder cannot be read or written.
    """
    with folder.lock(), closing(open_writer(folder)) as db:
        put_end(db, phase, message)


def call_off(folder: RunFolder, phase: Phase, message: str, *, running: bool) -> None:
    """Ends or suspends a run on which no engine is at work: has its jobs cancelled, then writes that down.

    `running`: the jobs that run are cancelled too; else only those that wait in a queue.

    Raises:
        RunBusy: an engine is at work.
        RunDamaged: the folder cannot be read or written.
        RunError, HostError: the jobs cannot be cancelled now, see `recall`; nothing was written down.
    """
    with folder.lock(), closing(open_writer(folder)) as db:
        setup = _setup(folder)
        settings = settings_of(setup)
        conductor = setup.executor if conducts(setup.executor, settings.executors) else None
        if conductor is not None or is_open(folder.root):
            end = End(why=message, exit_handler=not running) if phase is not Phase.SUSPENDED else None
            recall(folder.root, settings, conductor=conductor, running=running, end=end)
        if db.text("phase") not in {*RUN_ENDS, phase}:
            put_end(db, phase, message)


def _setup(folder: RunFolder) -> RunSetup:
    with closing(Reader(folder.database)) as reader:
        return stored_setup(reader)
