"""Time limits as batch systems write them."""

from __future__ import annotations

import math


def clock(seconds: float) -> str:
    """`HH:MM:SS`, as many hours as there are; rounded up, since a limit of nothing means no limit to some."""
    whole = max(1, math.ceil(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def minutes(seconds: float) -> int:
    """Whole minutes, rounded up."""
    return max(1, math.ceil(seconds / 60))
