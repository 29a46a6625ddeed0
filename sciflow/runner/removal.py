"""Removal of whatever user code has left, also without permissions; what is not there is as good as removed."""

from __future__ import annotations

import os
import stat


def remove(path: str) -> None:
    """Remove a file, link or folder with all it holds.

    Raises:
        OSError: something belongs to somebody else.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        os.unlink(path)
        return
    clear(path)
    os.rmdir(path)


def clear(folder: str) -> None:
    """Make a folder empty, and make it if it is not there."""
    try:
        entries = os.listdir(folder)
    except PermissionError:
        os.chmod(folder, 0o700)
        entries = os.listdir(folder)
    except NotADirectoryError:
        os.unlink(folder)
        entries = []
        os.makedirs(folder)
    except FileNotFoundError:
        os.makedirs(folder)
        return
    for name in entries:
        path = f"{folder}/{name}"
        try:
            os.unlink(path)
        except IsADirectoryError:
            remove(path)
        except PermissionError:
            os.chmod(folder, 0o700)  # nothing can be removed from a folder that may not be written to
            remove(path)
