"""Compiled modules that are older than their source, and yet would be taken.

Python takes a `.pyc` for current if the source's size and its time in whole seconds are as they were. A number that is
edited within the second in which the module was first imported passes unseen, and an op would go on with its old code.
"""

from __future__ import annotations

import os

from sciflow.runner.installed import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable


def remove_stale(module: str, sys_path: Iterable[str]) -> None:
    """Remove the compiled files that are older than their sources, beside a user's module and beside its packages."""
    packages = module.split(".")[:-1]
    for entry in sys_path:
        for depth in range(len(packages) + 1):
            _remove_in(os.path.join(entry, *packages[:depth]))


def _remove_in(folder: str) -> None:
    cache = os.path.join(folder, "__pycache__")
    if not is_own(f"{folder}/") or not os.path.isdir(cache):
        return
    for name in os.listdir(cache):
        source, compiled = os.path.join(folder, f"{name.partition('.')[0]}.py"), os.path.join(cache, name)
        try:
            if os.stat(compiled).st_mtime_ns < os.stat(source).st_mtime_ns:
                os.unlink(compiled)
        except OSError:  # no source of that name, or somebody else was quicker
            continue
