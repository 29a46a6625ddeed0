"""The run's copy of the user's script: what is edited while an engine is at work is for the next one."""

from __future__ import annotations

import os
from pathlib import Path

from sciflow.engine.run_folder import RunFolder


def copy_script(script: str | None, folder: RunFolder) -> None:
    """Copies the script as it is now, if the run has one and it is on this machine."""
    if script is not None and os.path.isfile(script):
        copy = _place(script, folder)
        beside = copy.with_name(f"{copy.name}.new")
        beside.write_bytes(Path(script).read_bytes())
        os.replace(beside, copy)


def copied_script(script: str | None, folder: RunFolder) -> Path | None:
    """The copy, if there is one."""
    copy = None if script is None else _place(script, folder)
    return copy if copy is not None and copy.exists() else None


def _place(script: str, folder: RunFolder) -> Path:
    return folder.part("code") / os.path.basename(script)
