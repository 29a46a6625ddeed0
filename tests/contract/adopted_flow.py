"""A workflow with a fan, files, a slice that fails once, and a question; a script of somebody else's machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sciflow import context, op, suspend, workflow


class Part(NamedTuple):
    value: int
    file: Path


class Sum(NamedTuple):
    value: int
    given: Path
    made: list[Path]
    told: Path


@op
def part(x: int, given: Path) -> Part:
    print(f"part {x}, attempt {context().attempt}")
    if x == 1 and context().attempt == 1:
        raise ValueError("not yet")
    made = Path(f"part-{x}.txt")
    made.write_text(given.read_text() * x)
    return Part(x, made)


@op
def added(parts: list[Part], given: Path, told: Path) -> Sum:
    return Sum(sum(p.value for p in parts), given, [p.file for p in parts], told)


@workflow
def adopted(given: Path) -> Sum:
    told = suspend("which file?", type=Path, name="gate")
    return added(part.partial(given=given).map(x=[0, 1, 2]), given, told)
