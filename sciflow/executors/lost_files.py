"""What is said of files that tasks have left, and that are not to be had any more."""

from __future__ import annotations

from pathlib import Path


def gone(file: str, here: Path, why: str = "") -> str:
    """What is said of a file that an op has left, and that is not to be had any more."""
    return (
        f"{file} is not to be had any more" + (f": {why}" if why else "") + "\n"
        f"    fix:      put it back there, or to the same path in {here}, and `sciflow retry {here.name}`;\n"
        f"              or `sciflow resubmit {here.name}`, which makes it again"
    )
