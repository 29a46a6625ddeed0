"""A workflow that waits for somebody, and one that takes long."""

from __future__ import annotations

import time

from sciflow import op, suspend, workflow


@workflow
def asks() -> int:
    return suspend("how many?", type=int, name="gate")


@op
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@op
def told(phase: str) -> str:
    return phase


@workflow(on_exit=told)
def naps(seconds: float) -> float:
    return nap(seconds)
