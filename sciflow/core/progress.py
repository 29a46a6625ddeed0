"""What is shown of runs: frozen records that the engine makes, and that views and the command line print.

Numbers are counts of tasks; a step is a node of the workflow, together with all its slices. Times are seconds, moments
are seconds since the epoch.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.records import Phase, TaskError


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks stand in which phase; `cached` and `flagged` are among `succeeded`."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    error: int = 0
    skipped: int = 0
    omitted: int = 0
    suspended: int = 0
    cached: int = 0
    flagged: int = 0

    @property
    def total(self) -> int:
        """All tasks that are known of."""
        return self.pending + self.running + self.suspended + self.ended

    @property
    def ended(self) -> int:
        """Tasks to which nothing more happens."""
        return self.succeeded + self.failed + self.error + self.skipped + self.omitted


class StepProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a run; nested nodes go by the path of names without slice numbers, `relax/energy`."""

    path: str
    phase: Phase = Phase.PENDING
    total: int | None = None  # None: not known before the run comes there
    done: int = 0  # ended, whatever the outcome; cached, failed, skipped and omitted are among them
    running: int = 0
    cached: int = 0
    failed: int = 0  # failed by the op or by the place
    skipped: int = 0
    omitted: int = 0
    flagged: int = 0
    elapsed_s: float = 0.0  # since its first task started
    remaining_s: float | None = None  # an estimate; None: nothing to estimate from
    message: str = ""  # the last that an op of the step said of its progress


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment."""

    run_id: str
    name: str
    phase: Phase
    started: float
    seconds: float
    steps: tuple[StepProgress, ...] = ()
    message: str = ""
    passing: bool = False  # the message is for those who look now, and printed by nobody else


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of runs."""

    id: str
    name: str
    phase: Phase
    started: float
    seconds: float
    counts: Counts
    folder: Path
    message: str = ""  # what is wrong with the run itself


class RunElsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the server of an executor knows it that carries out whole runs."""

    id: str
    name: str  # of its workflow
    phase: Phase
    started: float
    ended: float | None = None
    by: str = ""  # who has started it, as far as the server knows
    here: bool = False  # there is a folder of it among the runs


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task of a run, as it was recorded."""

    path: str
    node: str
    slice: int | None = None
    phase: Phase = Phase.PENDING
    attempt: int = 0
    key: str | None = None
    inputs: dict[str, Tree] | None = None  # None: not known yet
    output: Tree = None
    error: TaskError | None = None
    facts: dict[str, Tree] = {}
    flag: str = ""
    cached: bool = False
    started: float | None = None
    seconds: float | None = None
    folder: Path  # exists only where there was a file to keep, and it was not kept elsewhere

    @property
    def run_folder(self) -> Path:
        """The folder of its run."""
        return self.folder.parents[self.path.count("/") + 1]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a run as a whole: an engine began or died, somebody asked for something, it ended."""

    time: float
    kind: str  # began, died, retry, stop, terminate, suspend, resume, warning, waits, ended
    text: str = ""


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do at one step."""

    path: str
    template: str
    slices: int | None = None  # None: not known before the run comes there; a node without a fan has 1
    cached: int | None = None  # None: cannot be told yet
    reason: str = ""  # why what is not cached would run


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in the order in which it can start."""

    name: str = ""
    steps: tuple[PlannedStep, ...] = ()
