"""What can be said as a number of seconds."""

from __future__ import annotations

LONGEST_S = 1e9  # about thirty years; what waits for longer at a time, operating systems do not count


def is_seconds(value: object) -> bool:
    """Whether it is a number from 0 that a clock can count up to: neither NaN nor infinite."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST_S


def check_seconds(value: float, *, name: str, fix: str) -> None:
    """Refuse, as the value of an argument, what is no number of seconds.

    Raises:
        ValueError: says of which argument, and what to do.
    """
    if not is_seconds(value):
        raise ValueError(f"{name}: expected a number of seconds from 0, found {value!r}; {fix}")
