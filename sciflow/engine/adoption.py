"""A run that was begun elsewhere, at an executor that carries it out as a whole: followed from here."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Container
from contextlib import closing
from pathlib import Path

import msgspec

from sciflow import config
from sciflow.core.graph import encode_spec
from sciflow.core.progress import RunElsewhere
from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine import steering
from sciflow.engine.records_db import Reader
from sciflow.engine.records_writer import Writer
from sciflow.engine.run_folder import HIDDEN, RunFolder
from sciflow.engine.setup import RunSetup
from sciflow.engine.status import current_phase
from sciflow.errors import RunDamaged, RunNotFound
from sciflow.executors.found import MODULES, FoundRun, find_run, runs_at


def adopt_run(reference: str, executor: str, runs: Path | None) -> RunFolder:
    """The folder of a run that the executor has, made if it is not here; an engine follows it.

    Of one that was adopted and has ended it is found out anew what has become of it, if that can still be known.

    Raises:
        ConfigError, RunNotFound, HostError: see `executors.found.find_run`.
        RunDamaged: no folder can be made.
    """
    settings = config.load(arguments={"runs": runs})

    def find(run: str) -> FoundRun:
        return find_run(executor, settings.executors, settings.storages, run)

    here = RunFolder(settings.runs / reference)
    if not here.database.exists():
        found = find(reference)
        here = RunFolder(settings.runs / found.id)
        if not here.database.exists():
            _make(here, found, executor, settings.storages)
    if steering.at_work(here) or not _goes_on(here, find):
        return here
    sessions = steering.sessions(here)
    steering.detach(here, follow=True)
    steering.await_session(here, after=sessions)
    return here


def runs_elsewhere(executor: str, runs: Path | None, *, most: int | None) -> list[RunElsewhere]:
    """The runs that an executor has, the newest first.

    Raises:
        ConfigError, HostError: see `executors.found.runs_at`.
    """
    settings = config.load(arguments={"runs": runs})
    found = runs_at(executor, settings.executors)[:most]
    return [msgspec.structs.replace(run, here=(settings.runs / run.id / "run.db").exists()) for run in found]


def _goes_on(folder: RunFolder, find: Callable[[str], FoundRun]) -> bool:
    """Whether there is something to follow; of a run that has ended nothing may be left but what is known here."""
    if current_phase(folder) not in RUN_ENDS:
        return True
    with closing(Reader(folder.database)) as db:
        if not db.text("adopted"):
            return False
    try:
        there = find(folder.id).id == folder.id
    except RunNotFound:
        there = False
    if not there:
        sys.stderr.write(f"sciflow: {folder.id}: it is there no more; what was known of it here stays\n")
    return there


def _make(folder: RunFolder, found: FoundRun, executor: str, stores: Container[str]) -> None:
    beside = RunFolder(folder.root.with_name(f"{HIDDEN}{found.id}-{os.urandom(2).hex()}"))
    try:
        beside.root.mkdir(parents=True)
        beside.complete()
        found.bring(beside.root)
        _fill(beside, found, _setup(folder.root, found, executor, stores))
        beside.root.rename(folder.root)
    except OSError as error:
        raise RunDamaged(f"{error.filename or beside.root}: the run cannot be adopted: {error.strerror}") from error
    finally:
        shutil.rmtree(beside.root, ignore_errors=True)


def _fill(beside: RunFolder, found: FoundRun, setup: RunSetup) -> None:
    """The database of a run of which nothing has been told yet."""
    db = Writer(beside.database, full=setup.durable == "full", hidden=True)
    facts: dict[str, bytes | str] = {
        "spec": encode_spec(found.spec),
        "inputs": msgspec.json.encode(found.inputs),
        "setup": msgspec.json.encode(setup),
        "name": setup.name,
        "started": str(found.started or time.time()),
        "phase": Phase.PENDING.value,
        "adopted": f"-{os.urandom(3).hex()}",  # sets what is taken in here apart from what others take in
        "adopted-from": setup.executor,
    }
    for name, value in facts.items():
        db.put_fact(name, value)
    db.put_event(time.time(), "adopted", f"from {setup.executor}")
    db.commit()
    db.close()


def _setup(root: Path, found: FoundRun, executor: str, stores: Container[str]) -> RunSetup:
    """As where it was begun, with the code that the run has: what is here under the same names may be another.

    `root`: where its folder is going to be.
    """
    told = msgspec.json.decode(found.setup, type=_Setup)
    there = msgspec.json.decode(found.setup, type=RunSetup) if told.name else RunSetup(name=found.spec.name)
    return msgspec.structs.replace(
        there,
        executor=executor,
        storage=there.storage if there.storage in stores else "",
        reuse=dict(found.reuse),
        cwd=os.getcwd(),
        detached=True,
        script=str(root / found.main) if found.main else None,
        sys_path=(str(root / MODULES),),  # not what has the name of the author's folders here
    )


class _Setup(msgspec.Struct, frozen=True):
    name: str = ""
