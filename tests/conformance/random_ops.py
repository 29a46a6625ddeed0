"""The ops of programs that are made at random: small, quick, the same at every place; some fail, some at first."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sciflow import TransientError, context, op


class Parts(NamedTuple):
    """Several outputs: some are told to Argo as numbers, some cannot be."""

    number: int
    flag: bool
    share: float
    items: list[int]
    name: str


@op
def add(a: int, b: int = 1) -> int:
    return a + b


@op
def parts(a: int) -> Parts:
    return Parts(a, a % 2 == 0, a / 4, list(range(abs(a) % 3)), f"{{{{={a}}}}} '\"\n")


@op
def upto(a: int) -> list[int]:
    return list(range(abs(a) % 4))


@op
def large(a: int) -> int:
    """More than Argo reckons with."""
    return 2**60 + a


@op
def total(xs: list[int]) -> int:
    return sum(xs)


@op
def lenient(xs: list[int | None]) -> int:
    return sum(100 if x is None else x for x in xs)


@op
def maybe(a: int | None, b: int = 3) -> int:
    return b if a is None else a + b


@op
def fallback(a: int = 7) -> int:
    return a


@op
def fragile(a: int) -> int:
    if a % 3 == 0:
        raise ValueError(f"{a} is a multiple of three")
    return a


@op(retries=1, backoff_s=0.01)
def shaky(a: int) -> int:
    """Needs its second attempt for odd numbers, and more than that for multiples of five."""
    if (a % 2 and context().attempt == 1) or a % 5 == 0:
        raise TransientError(f"{a} at attempt {context().attempt}")
    return a


@op
def written(a: int) -> Path:
    Path("number of {{a}}.txt").write_text(str(a))
    return Path("number of {{a}}.txt")


@op
def read(file: Path) -> int:
    return int(file.read_text())


@op
def read_all(files: list[Path]) -> list[int]:
    return [int(file.read_text()) for file in files]


@op
def told(phase: str) -> str:
    return phase
