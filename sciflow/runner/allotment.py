"""How long an element may run: what the batch system grants, less what is needed to leave in order."""

from __future__ import annotations

import os
import time

MARGIN_S, MARGIN_PART = 30.0, 0.05  # whichever is less
ENDS = ("SLURM_JOB_END_TIME", "SCIFLOW_END_TIME")  # seconds since 1970


def end_of_allotment(walltime_s: float | None) -> float | None:
    """When no task may run any longer, on the monotonic clock; None if nobody says."""
    left = [] if walltime_s is None else [float(walltime_s)]
    told = [os.environ.get(name, "") for name in ENDS]
    left += [float(text) - time.time() for text in told if text.replace(".", "", 1).isdigit()]
    if not left:
        return None
    granted = max(0.0, min(left))
    return time.monotonic() + granted - min(MARGIN_S, MARGIN_PART * granted)
