"""Whether a submission's folder is there: taken away by somebody, or out of sight with all that lies beside it."""

from __future__ import annotations

import os
import stat

GONE, AWAY = "gone", "away"  # only this one was removed; the folder of all runs is not there either: it is not mounted
ABOVE = 3  # RUNS/<run id>/batches/<name>


def absence_of(folder: str) -> str:
    """GONE or AWAY if a submission's folder is not there; nothing if it is.

    Raises:
        OSError: that cannot be told now.
    """
    if _is_folder(folder):
        return ""
    runs = folder
    for _ in range(ABOVE):
        runs = os.path.dirname(runs)
        if _is_folder(runs):
            os.listdir(runs)  # has a network file system look anew at what it remembers of the folder
    if not _is_folder(runs):
        return AWAY
    return "" if _is_folder(folder) else GONE


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):  # others tell of a file system that does not answer
        return False
