"""Where in a run folder something of the bucket is put: whoever may write to the bucket may write any path there."""

from __future__ import annotations

import os
from pathlib import Path

from sciflow.errors import RunDamaged


def place_in(root: Path, path: str, *, part: str = "") -> Path:
    """The place of a path in a folder; `part` begins all paths that will do.

    Raises:
        RunDamaged: it leads out of the folder, or through a link.
    """
    steps = path.split("/")
    if os.path.isabs(path) or ".." in steps or not path.startswith(part):
        raise RunDamaged(f"{path!r} is no path of a run's file")
    above = root
    for step in steps[:-1]:
        above /= step
        if above.is_symlink():
            raise RunDamaged(f"{path!r} is no path of a run's file: {above} is a link")
    return root / path
