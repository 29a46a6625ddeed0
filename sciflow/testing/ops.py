"""Ops that the contract suites run."""

from __future__ import annotations

import os
import time


def double(x: int) -> int:
    """Twice the number."""
    return 2 * x


def refuse_three(x: int) -> int:
    """The number; three is an error."""
    if x == 3:
        raise ValueError("three is refused")
    return x


def leave_at_two(x: int) -> int:
    """The number; at two the process ends."""
    if x == 2:
        os._exit(7)
    return x


def sleep(x: int) -> int:
    """The number, after as many seconds."""
    time.sleep(x)
    return x
