"""What an engine is put together from, and how it is told not to go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import msgspec

from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Snapshot
from sciflow.engine.probe import Probe
from sciflow.engine.records_db import Writer
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.values import StoredValues
from sciflow.executors.executor import Conductor, Executor


class Level(IntEnum):
    """How far a halt goes."""

    NONE = 0
    PAUSE = 1  # nothing new until resumed
    STOP = 2  # nothing new; what runs may end
    KILL = 3  # what runs is killed


class Halt(msgspec.Struct, frozen=True):
    """Why the engine does not go on. After an interruption the run can be resumed; `ends` says that this is its end."""

    level: Level = Level.NONE
    why: str = ""
    ends: bool = False
    exit_handler: bool = True

    @property
    def leaves(self) -> bool:
        """Whether files of the run's result, and its storage, are not waited for."""
        return self.level is Level.KILL or (self.level > Level.NONE and not self.ends)

    def followed_by(self, halt: Halt) -> Halt:
        """What holds when another one is asked for.

        An engine that is to end what runs leaves when it is interrupted: it may be waiting for a host that is down.
        """
        if halt.level is Level.KILL and self.level is Level.KILL and self.ends and not halt.ends:
            return msgspec.structs.replace(halt, why=f"{halt.why}; before, {self.why}: `sciflow cancel` sees to that")
        return halt if halt.level > self.level else self


class Parts(msgspec.Struct, kw_only=True, eq=False):
    """What an engine is put together from."""

    folder: RunFolder
    name: str
    db: Writer
    values: StoredValues
    scheduler: Scheduler
    executors: Mapping[str, Executor]
    probe: Probe
    spec: WorkflowSpec
    inputs: Mapping[str, bytes]
    stowage: Any = None  # a `Stowage`, one of the executors
    conductor: Conductor | None = None  # one of the executors, if it carries out the run as a whole
    home: str | None = None  # the executor that has files that the run was given, where they are not here
    follows: bool = False  # a run that is somebody else's, also while it waits for somebody
    deadline: float | None = None  # by the monotonic clock
    full_disk_wait_s: float = 0.0  # before it gives up
    started: float = msgspec.field(default_factory=time.time)
    on_update: Callable[[Snapshot], None] | None = None
