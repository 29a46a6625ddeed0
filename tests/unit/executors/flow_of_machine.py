"""Workflows of which some tasks run at another place than others; their module needs nothing but what ops need."""

from __future__ import annotations

from pathlib import Path

from sciflow import op, workflow


@op
def square(x: int) -> int:
    return x * x


@workflow
def squares(xs: list[int]) -> list[int]:
    return square.map(x=xs)
