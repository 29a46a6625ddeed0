"""A workflow with a file between two ops, in a module that imports nothing else: it travels to other machines."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sciflow import context, op, workflow


@op
def write(n: int) -> Path:
    made = Path("made.txt")
    made.write_text("x" * n)
    return made


@op
def measure(file: Path, switch: str) -> int:
    if Path(switch).exists():
        raise ValueError("switched off")
    return len(file.read_text())


@workflow
def measured(n: int, switch: str) -> int:
    return measure(write(n), switch)


@workflow
def measured_elsewhere(n: int, switch: str) -> int:
    return measure.options(executor="d")(write(n), switch)


@op
def vanish(x: int) -> int:
    """Takes its whole job with it: script, runner and all, and leaves no mark."""
    place = context().host["signs"]
    if not Path(place, "mended").exists():
        script = os.getppid()
        while b"script.sh" not in Path(f"/proc/{script}/cmdline").read_bytes():
            script = int(Path(f"/proc/{script}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(script, signal.SIGKILL)
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@workflow
def vanishing(x: int) -> int:
    return vanish(x)
