"""Workflows that are killed over and over: each task notes that it began, so that what ran twice can be counted."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from sciflow import TransientError, context, op, suspend, workflow

CHAIN = 40


def note(pause_s: float = 0.012) -> None:
    """Appends the task's path to the tally, in one write, and takes a while if the tally asks for it."""
    fd = os.open(os.environ["FAULTS_TALLY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{context().path}\n".encode())
    os.close(fd)
    if os.environ.get("FAULTS_SLOW"):
        time.sleep(pause_s)


@op
def step(x: int) -> int:
    note()
    return x * 3 % 10007


@op(retries=40, backoff_s=0.01)
def stubborn(x: int) -> int:
    note()
    return x * x


@op
def quick(x: int) -> int:
    note(0.0005)
    return x + 1


@op
def total(xs: list[int]) -> int:
    note()
    return sum(xs)


@op(retries=40, backoff_s=0.005)
def flaky(x: int) -> int:
    note(0.005)
    if context().attempt < 1 + x % 3:
        raise TransientError("not yet")
    return x * 7


@op(retries=40, backoff_s=0.01)
def write(x: int) -> Path:
    Path("left").mkdir()
    Path("left/over.txt").write_text(f"left by {x}")
    place = Path(f"number {x}.txt")
    place.write_text(f"{x}\n" * 2000)
    note()
    return place


@op(retries=40, backoff_s=0.01)
def edit(file: Path) -> Path:
    with file.open("a") as end:
        end.write("edited\n")
    note()
    return file


@op(retries=40, backoff_s=0.01)
def digest(files: list[Path]) -> str:
    note()
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@op(retries=40, backoff_s=0.01)
def spread(x: int) -> list[int]:
    note()
    return [x * 1000 + i for i in range(1500)]  # too long for a row of the database


@op(retries=40, backoff_s=0.01, cache=True)
def known(x: int) -> int:
    note()
    return x * 11


@workflow
def chain(x: int) -> int:
    for _ in range(CHAIN):
        x = step(x)
    return x


@workflow
def fan(xs: list[int]) -> int:
    return total(stubborn.map(x=xs))


@workflow
def fan_without_retries(xs: list[int]) -> int:
    return total(step.map(x=xs))


@workflow
def fan_of_quick_slices(xs: list[int]) -> int:
    return total(quick.map(x=xs))


@workflow
def fan_of_fans(xs: list[int]) -> int:
    return total(branch.map(x=xs))


@op
def numbers(x: int) -> list[int]:
    note()
    return list(range(x, x + 6))


@workflow
def branch(x: int) -> int:
    return total(step.map(x=numbers(x)))


@workflow
def retries(xs: list[int]) -> int:
    return total(flaky.map(x=xs))


@workflow
def files(xs: list[int]) -> str:
    return digest(edit.map(file=write.map(x=xs)))


@workflow
def large_values(xs: list[int]) -> int:
    return total(total.map(xs=spread.map(x=xs)))


@workflow
def cached(xs: list[int]) -> int:
    return total(known.map(x=xs))


@workflow
def suspension(xs: list[int]) -> int:
    before = total(stubborn.map(x=xs))
    said = suspend("look", type=int)
    return total(stubborn.map(x=[before, said, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))
