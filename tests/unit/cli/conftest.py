"""The command line as a user has it: a process of its own in a folder with a script."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Sciflow = Callable[..., "subprocess.CompletedProcess[str]"]

SCRIPT = '''
import time
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from sciflow import op, workflow


class Mode(Enum):
    FAST = 1
    SLOW = 2


class Fit(NamedTuple):
    v0: float
    b0: float
    mode: Mode


@op
def energy(scale: float, seconds: float = 0.0) -> float:
    """Energy at one scale."""
    print("scale", scale)
    time.sleep(seconds)
    if scale > 2:
        raise ValueError(f"scale {scale} is too large")
    return (scale - 1) ** 2


@op
def fit(scales: list[float], energies: list[float], mode: Mode) -> Fit:
    return Fit(min(energies), max(energies), mode)


@workflow
def eos(scales: list[float], structure: Path | None = None, mode: Mode = Mode.FAST, seconds: float = 0.0) -> Fit:
    """Fit an equation of state."""
    return fit(scales, energy.partial(seconds=seconds).map(scale=scales), mode)


if __name__ == "__main__":
    raise SystemExit("the block for running the script is not for the command line")
'''


def until(holds: Callable[[], object], *, timeout_s: float = 30.0) -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with `eos.py`."""
    (tmp_path / "eos.py").write_text(SCRIPT)
    return tmp_path


@pytest.fixture
def sciflow(here: Path) -> Sciflow:
    """`sciflow("list", "--json")` in that folder."""

    def call(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sciflow", *args],
            cwd=here,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call
