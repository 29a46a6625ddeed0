"""A word in the run folder that an executor has carried out the run as a whole, and what it has left is still there."""

from __future__ import annotations

from pathlib import Path

from sciflow.executors.whole_files import put_whole

NOTE = "conducted"


def note_conductor(root: Path, name: str) -> None:
    """Writes down which executor has begun to."""
    put_whole(root / NOTE, f"{name}\n".encode(), lasting=True)


def noted_conductor(root: Path) -> str:
    """The executor that has left something; empty if none has, or it was removed."""
    try:
        return (root / NOTE).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def forget_conductor(root: Path) -> None:
    """Writes down that nothing is left."""
    (root / NOTE).unlink(missing_ok=True)
