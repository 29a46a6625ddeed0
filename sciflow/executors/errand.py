"""What an executor is told of the run for which it works, and of its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.config import Tables
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.executors.capacity import Quota


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is as a whole, for an executor that carries it out."""

    spec: WorkflowSpec
    inputs: Mapping[str, Tree]
    reuse: Mapping[str, Tree]
    timeout_s: float | None
    parallelism: int | None
    locks: Mapping[str, int]  # how many tasks of the run may hold one at most
    setup: msgspec.Raw  # of the run, as its database has it
    started: float = 0.0
    begins: bool = True  # it is begun there if it is not there
    fresh: bool = False  # no engine has been at work on it before
    goes_on: bool = True  # if it is suspended there, it goes on
    revives: bool = True  # what has failed is run again, if it has ended there
    dispatchers: Tables = {}  # executors of batch systems that its nodes name


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody ends a run at which no engine is at work."""

    why: str
    exit_handler: bool  # runs, where that can be without an engine


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a run tells every executor that works for it."""

    root: Path  # the run folder
    sys_path: Sequence[str]
    argv: Sequence[str]
    main: str | None  # the script's copy under `root`, relative
    inline_bytes: int
    code: Mapping[str, bytes]  # bundles of the user's modules by name
    host: Mapping[str, object]
    quota: Quota = Quota()
    at: str = ""  # by which files are known that tasks leave where they run; "": the executor's name
    whole: Whole | None = None
    is_over: Callable[[str, int], bool] = lambda _path, _attempt: False  # whether a task's attempt is recorded as ended
