"""What an engine is put together from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Snapshot
from sciflow.engine.intake import Intake
from sciflow.engine.probe import Probe
from sciflow.engine.records_writer import Writer
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.values import StoredValues
from sciflow.executors.executor import Conductor, Executor


class Parts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What an engine is put together from."""

    folder: RunFolder
    name: str
    db: Writer
    values: StoredValues
    scheduler: Scheduler
    executors: Mapping[str, Executor]
    intake: Intake
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
    idle_s: float = 0.0  # of the time since then, for which it had ended
    on_update: Callable[[Snapshot], None] | None = None
