"""Whether a submission's folder is there: taken away by somebody, or out of sight with all that lies beside it."""

from __future__ import annotations

import os

GONE, AWAY = "gone", "away"  # only this one was removed; the folder of all runs is not there either: it is not mounted
ABOVE = 3  # RUNS/<run id>/batches/<name>


def absence_of(folder: str) -> str:
    """GONE or AWAY if a submission's folder is not there; nothing if it is.

    Raises:
        OSError: that cannot be told now.
    """
    if _is_there(folder):
        return ""
    runs = folder
    for _ in range(ABOVE):
        runs = os.path.dirname(runs)
        beside = _is_there(runs)
    if not beside:
        return AWAY
    return "" if _is_there(folder) else GONE


def _is_there(folder: str) -> bool:
    """Whether a folder is there; it is listed: a network file system then looks anew at what it remembers of it."""
    try:
        os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):  # others tell of a file system that does not answer
        return False
    return True
