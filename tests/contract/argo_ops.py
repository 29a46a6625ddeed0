"""Workflows that wait for somebody, take long, or speak while they run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sciflow import context, op, suspend, workflow


@workflow
def asks() -> int:
    return suspend("how many?", type=int, name="gate")


@op
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@workflow
def asks_and_naps(seconds: float) -> int:
    nap(seconds)
    return suspend("how many?", type=int, name="gate")


@op
def second_time(n: int) -> int:
    if context().attempt == 1:
        raise ValueError("not yet")
    return n


@workflow
def asks_and_stumbles() -> int:
    return second_time(suspend("how many?", type=int, name="gate"))


@op
def told(phase: str) -> str:
    return phase


@workflow(on_exit=told)
def naps(seconds: float) -> float:
    return nap(seconds)


@op
def speak(seconds: float, name: str = "alone") -> str:
    for i in range(int(seconds)):
        print(f"{name} says {i}", flush=True)
        context().progress(i, int(seconds))
        time.sleep(1.0)
    return name


@op
def stumble(n: int) -> int:
    if n:
        raise ValueError(f"{n} is\ntoo much")
    return n


@workflow
def talk(names: list[str]) -> list[str]:
    """One that counts to 30 by itself, and a fan of which two have a pod together; of another fan most fail."""
    stumble.options(chunk=3, min_success=1).map(n=[0, 1, 2])
    alone = speak.options(name="alone")(30.0)
    return said([alone], speak.options(name="many", chunk=2).partial(seconds=14.0).map(name=names))


@op
def said(alone: list[str], many: list[str]) -> list[str]:
    return alone + many


@op
def written(n: int) -> Path:
    Path("made.txt").write_text("x" * n)
    return Path("made.txt")


@op(cache=True)
def size_of(file: Path) -> int:
    return len(file.read_text())


@op(cache=True)
def copied(n: int) -> Path:
    Path("copy.txt").write_text("y" * n)
    return Path("copy.txt")


@workflow
def writes(n: int) -> int:
    made = written(n)
    return size_of(copied(n)) + size_of.options(name="size")(made)


@op
def span(seconds: float) -> tuple[float, float, tuple[int, int]]:
    """When it began and ended, and in which Python."""
    begun = time.time()
    time.sleep(seconds)
    return begun, time.time(), sys.version_info[:2]


@workflow
def spans(lengths: list[float], image: str) -> list[tuple[float, float, tuple[int, int]]]:
    """In an image that the run is told."""
    return span.options(key="span-{item}", image=image).map(seconds=lengths)
