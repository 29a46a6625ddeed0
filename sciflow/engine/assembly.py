"""Puts the engine of a session together: scheduler, cache, storage, the executors that the run may need."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Snapshot
from sciflow.engine.conclusion import settings_of
from sciflow.engine.db_journal import DbJournal
from sciflow.engine.engine import Engine
from sciflow.engine.errand import errand_of, whole_of
from sciflow.engine.intake import Intake
from sciflow.engine.limits import Limits
from sciflow.engine.parts import Parts
from sciflow.engine.preflight import preflight, used_executors
from sciflow.engine.probe import Probe
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.script import copied_script, copy_script
from sciflow.engine.session import Session
from sciflow.engine.stowage_making import keep_all, make_stowage
from sciflow.engine.values import StoredValues
from sciflow.executors.capacity import Capacity
from sciflow.executors.errand import Errand
from sciflow.executors.executor import Conductor, Executor
from sciflow.executors.local import LocalExecutor, Place
from sciflow.executors.registry import LOCAL, conducts, make_executor

if TYPE_CHECKING:
    from sciflow.engine.stowage import Stowage

Watcher = Callable[[Snapshot], None]


class Assembly:
    """The engine of one session in the making."""

    def __init__(self, session: Session, stack: ExitStack) -> None:
        """`stack` closes what is made."""
        self._session = session
        self._stack = stack
        self._setup = session.origin.setup
        self._root = session.folder.root
        self._settings = settings_of(self._setup)

    def engine(self, on_update: Watcher | None) -> Engine:
        """The engine with all its parts."""
        session, setup, origin = self._session, self._setup, self._session.origin
        if not session.first and not session.follows:
            preflight(origin.spec, setup, self._settings, origin.inputs)  # it may go on elsewhere than it was made
        pack = f"values/{session.number}-engine{session.adopted}"
        values = StoredValues(self._root, pack=pack, inline_bytes=setup.inline_bytes, outputs=session.db.outputs)
        intake = Intake(self._root, values, mark=session.adopted)
        timeout_s = _shortest(setup.timeout_s, origin.spec)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        executors = {LOCAL: self._local(deadline), **self._elsewhere()}
        stowage = self._stowage()
        session.clear()  # before the scheduler reads what there is
        return Engine(
            Parts(
                folder=session.folder,
                name=setup.name,
                db=session.db,
                values=values,
                scheduler=self._scheduler(values, executors),
                executors={**executors, **({stowage.name: stowage} if stowage is not None else {})},
                stowage=stowage,
                conductor=self._conductor(executors),
                home=session.db.text("adopted-from") or None,
                follows=session.follows,
                intake=intake,
                probe=self._probe(intake),
                spec=origin.spec,
                inputs={name: msgspec.json.encode(tree) for name, tree in origin.inputs.items()},
                deadline=deadline,
                full_disk_wait_s=self._settings.full_disk_wait_s,
                started=session.started,
                idle_s=session.idle_s,
                on_update=on_update,
            )
        )

    def _scheduler(self, values: StoredValues, executors: Collection[str]) -> Scheduler:
        setup, db = self._setup, self._session.db
        return Scheduler(
            self._session.origin.spec,
            journal=DbJournal(db, first=self._session.first),
            values=values,
            limits=Limits(parallelism=setup.parallelism, locks=dict(self._settings.locks) | setup.locks),
            executors=(setup.executor, *sorted(set(executors) - {setup.executor})),
            conducted=conducts(setup.executor, self._settings.executors),
            keys=db.keys(),
        )

    def _probe(self, intake: Intake) -> Probe:
        probe = Probe(
            runs=self._root.parent,
            root=self._root,
            reuse=self._setup.reuse,
            intake=intake,
            warn=self._session.warn,
            traced_now=self._session.first,
        )
        self._stack.callback(probe.close)
        return probe

    def _stowage(self) -> Stowage | None:
        stowage = make_stowage(self._setup.storage, self._settings, self._root, warn=self._session.warn)
        if stowage is not None:
            self._stack.callback(stowage.close)
            keep_all(stowage, self._root, self._session.db)
        return stowage

    # --- executors

    def _local(self, deadline: float | None) -> LocalExecutor:
        setup = self._setup
        place = Place(
            root=self._root,
            session=self._session.number,
            inline_bytes=setup.inline_bytes,
            sys_path=setup.sys_path,
            argv=setup.argv,
            main=None if self._script is None else str(self._script),
            host=self._settings.host,
            deadline=deadline,
        )
        local = LocalExecutor(place, Capacity(cpus=setup.workers, memory_mb=setup.memory_mb, gpus=setup.gpus))
        self._stack.callback(local.close)
        return local

    def _elsewhere(self) -> Mapping[str, Executor]:
        """The executors of the settings that the run may need."""
        settings = self._settings
        names = used_executors(self._session.origin.spec, self._setup.executor, settings.executors) - {LOCAL}
        if conducts(self._setup.executor, settings.executors):
            names &= {self._setup.executor}  # it sees to it itself that others get their tasks
        made = {}
        if names:
            errand = self._errand()
            for name in sorted(names):
                made[name] = make_executor(name, settings.executors, errand, settings.storages)
                self._stack.callback(made[name].close)
        return made

    def _errand(self) -> Errand:
        session, origin = self._session, self._session.origin
        whole = msgspec.structs.replace(
            whole_of(origin, self._settings),
            started=session.started,
            fresh=session.first and not session.follows,
            begins=not session.follows and (session.again or not session.adopted),
            goes_on=not session.follows,
            revives=session.again,
        )
        return errand_of(
            origin,
            whole,
            root=self._root,
            script=self._script,
            settings=self._settings,
            begun_elsewhere=bool(session.adopted),
            is_over=session.db.is_over,
        )

    def _conductor(self, executors: Mapping[str, Executor]) -> Conductor | None:
        """The executor that carries out the run as a whole, if one does; none does where no node needs one."""
        name = self._setup.executor
        whole = name in executors and conducts(name, self._settings.executors)
        return cast("Conductor", executors[name]) if whole else None

    @cached_property
    def _script(self) -> Path | None:
        """The user's script as it was when this session began: it may be mended before a retry."""
        if not self._session.first:
            copy_script(self._setup.script, self._session.folder)
        return copied_script(self._setup.script, self._session.folder)


def _shortest(seconds: float | None, spec: WorkflowSpec) -> float | None:
    limits = [s for s in (seconds, getattr(spec.templates[spec.entry], "timeout_s", None)) if s is not None]
    return min(limits, default=None)
