"""What happened: phases and their legal moves, and what is recorded of a task."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sciflow.core.expr import Tree


class Phase(StrEnum):
    """Where a task, a node or a run stands; Argo's words."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"  # the op failed
    ERROR = "Error"  # the place failed, not the op
    SKIPPED = "Skipped"  # its `when` was false
    OMITTED = "Omitted"  # something it needs did not succeed
    SUSPENDED = "Suspended"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it, short of a retry."""
        return not MOVES[self]

    @property
    def at_rest(self) -> bool:
        """Whether it has ended or waits for somebody."""
        return self.ended or self is Phase.SUSPENDED

    @property
    def bad(self) -> bool:
        """Whether a retry takes it up again."""
        return self in BAD


MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset(Phase) - {Phase.PENDING},
    Phase.RUNNING: frozenset({Phase.PENDING, Phase.SUCCEEDED, Phase.FAILED, Phase.ERROR, Phase.SUSPENDED}),
    Phase.SUSPENDED: frozenset({Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED}),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.ERROR: frozenset(),
    Phase.SKIPPED: frozenset(),
    Phase.OMITTED: frozenset(),
}
BAD = frozenset({Phase.FAILED, Phase.ERROR, Phase.OMITTED})
RUN_ENDS = frozenset({Phase.SUCCEEDED, Phase.FAILED})  # of a run; one in Error has lost its engine, and is resumed


class TaskError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task failed, as the runner or the engine tells it."""

    type: str = ""  # "module:Qualname" of the exception
    bases: tuple[str, ...] = ()
    message: str = ""
    traceback: str = ""  # cut to the user's frames
    kind: str = "user"  # user, contract, code, codec, place, died, timeout, omitted, cancelled, run
    fatal: bool = False
    transient: bool = False
    exit_code: int | None = None
    signal: str | None = None


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What only some tasks have to tell."""

    error: TaskError | None = None
    facts: dict[str, Tree] = {}
    needs: dict[str, Tree] = {}
    flag: str = ""
    files: bool = False
    children: int = 0


class Reply(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The end of a task, as a worker reports it."""

    number: int
    phase: str
    output: msgspec.Raw
    started: float
    seconds: float
    stdout_end: int
    stderr_end: int
    extra: Extra | None = None


class Progress(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """How far a running task says it is."""

    number: int
    done: float
    total: float | None = None
    message: str = ""


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A worker has an op's code, and by what parts it is known."""

    op: int
    identity: dict[str, str] | None = None
    problem: TaskError | None = None
