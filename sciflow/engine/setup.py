"""How a run is to be executed: what is stored with it, so that any process can go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.executors.capacity import Quota


class RunSetup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Stored in the run's database. Machine settings (`[host]`, secrets) are not: they are read where it runs."""

    name: str
    executor: str = "local"
    storage: str = ""  # none: the run's folder
    workers: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None
    parallelism: int | None = None
    timeout_s: float | None = None
    durable: str = "normal"
    inline_bytes: int = 4096
    locks: dict[str, int] = {}
    detached: bool = False
    cwd: str = ""
    argv: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()
    script: str | None = None
    reuse: dict[str, Tree] = {}
    quota: Quota = Quota()  # what was asked for this run: it holds at executors of the settings, too


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller of `run` or `submit` may say; None leaves it to the settings."""

    name: str | None = None
    runs: Path | None = None
    executor: str | None = None
    storage: str | None = None
    workers: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None
    parallelism: int | None = None
    timeout_s: float | None = None
    durable: bool | None = None  # True: survive a power cut too
    progress: bool | None = None
    reuse: Mapping[str, Tree] = msgspec.field(default_factory=dict)
    argv: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()
    script: str | None = None
