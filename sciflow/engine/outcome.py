"""What a run, or a graph of it, came to."""

from __future__ import annotations

import msgspec

from sciflow.core.records import Phase, TaskError


class Outcome(msgspec.Struct, frozen=True):
    """What it came to; `because`: the path of what it failed of or waits for."""

    phase: Phase
    result: bytes = b"null"
    error: TaskError | None = None
    because: str = ""
