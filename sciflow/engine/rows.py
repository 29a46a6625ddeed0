"""Rows of a run's database as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from sciflow.core.records import Extra, Phase

PHASES: Mapping[Phase, int] = {phase: number for number, phase in enumerate(Phase)}  # as they are stored
BY_NUMBER = tuple(Phase)

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


_EXTRA = msgspec.json.Decoder(Extra)


def task_row(row: tuple[Any, ...]) -> TaskRow:
    """A row of `task`, node first, as a record."""
    node, slice_, phase, attempt, key, output, started, seconds, worker, out0, out1, err0, err1, extra, cached = row
    return TaskRow(
        node,
        slice_,
        BY_NUMBER[phase],
        attempt,
        key,
        output,
        started,
        seconds,
        worker or "",
        (out0, out1),
        (err0, err1),
        _EXTRA.decode(extra) if extra else None,
        cached or "",
    )
