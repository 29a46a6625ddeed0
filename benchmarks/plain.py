"""The same work as in `ops`, as plain functions: what the peers run, without importing sciflow."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path


def double(x: int) -> int:
    return 2 * x


def total(xs: Sequence[int]) -> int:
    return sum(xs)


def burn(cpu_s: float) -> float:
    """Uses up CPU time, not wall time, so that a busy machine makes it longer and not lighter."""
    started = time.process_time()
    while time.process_time() - started < cpu_s:
        sum(range(1000))
    return time.process_time() - started


def burn_often(cpu_s: float, times: int) -> None:
    for _ in range(times):
        burn(cpu_s)


def stamp(source: Path) -> Path:
    """Reads a file and leaves another in the working folder."""
    target = Path("stamped.txt")
    target.write_bytes(source.read_bytes()[::-1])
    return target


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
