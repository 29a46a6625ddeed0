"""Rows of a run's database as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from sciflow.core.records import Extra, Phase

PHASES: Mapping[Phase, int] = {phase: number for number, phase in enumerate(Phase)}  # as they are stored

TaskValues: TypeAlias = tuple[object, ...]  # a row of `task`, node first


class TaskRow(msgspec.Struct, frozen=True):
    """A task's end, as stored."""

    node: int
    slice: int
    phase: Phase
    attempt: int
    key: str | None
    output: bytes | None
    started: float
    seconds: float
    worker: str
    stdout: tuple[int, int]
    stderr: tuple[int, int]
    extra: Extra | None
    cached: str


class NodeRow(msgspec.Struct, frozen=True):
    """A node of the run, as stored."""

    id: int
    path: str
    template: str
    phase: Phase
    total: int | None
    succeeded: int | None
    because: str
    error: bytes | None
