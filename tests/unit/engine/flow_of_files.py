"""A workflow with a file between two ops, in a module that imports nothing else: it travels to other machines."""

from __future__ import annotations

from pathlib import Path

from sciflow import op, workflow


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
