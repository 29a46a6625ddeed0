"""What is said of files that tasks have left, and that are not to be had any more."""

from __future__ import annotations

from pathlib import Path


def gone(file: str, here: Path, why: str = "") -> str:
    """What is said of a file that an op has left, and that is not to be had any more."""
    return f"{file} is not to be had any more" + (f": {why}" if why else "") + f"\n    fix:      {_back(here)}"


def changed(file: str, here: Path, how: str) -> str:
    """What is said of one in whose place something else comes; `how`: what was expected, and what came."""
    return (
        f"{file} is {how}\n"
        f"    fix:      if a proxy or a login page answers in its place, see to that and `sciflow fetch {here.name}`;\n"
        f"              else {_back(here)}"
    )


def _back(here: Path) -> str:
    return (
        f"put it back there, or to the same path in {here}, and `sciflow retry {here.name}`;\n"
        f"              or `sciflow resubmit {here.name}`, which makes it again"
    )
