"""What a check has found: one line, and what to do."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line: "note" is something that a run can do without, or that could not be found out."""

    state: Literal["ok", "note", "bad"]
    subject: str
    found: str
    fix: str = ""


def ok(subject: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(state="ok", subject=subject, found=found)


def note(subject: str, found: str, fix: str = "") -> Finding:
    """It will do."""
    return Finding(state="note", subject=subject, found=found, fix=fix)


def bad(subject: str, found: str, fix: str = "") -> Finding:
    """It will not do."""
    return Finding(state="bad", subject=subject, found=found, fix=fix)
