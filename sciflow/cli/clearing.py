"""`sciflow clean --remote`: what runs have left on other machines is removed; the runs stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sciflow.cli.output import note, show
from sciflow.core.progress import RunSummary
from sciflow.errors import HostError, RunError, SciflowError
from sciflow.view.quantity import count, size

if TYPE_CHECKING:
    from sciflow.engine.clearing import Remains


def clear_remote(runs: Sequence[RunSummary], *, discard: bool, dry_run: bool, confirmed: Callable[[str], bool]) -> int:
    """Removes it, after it has come home; the exit code. `discard`: what is not home is lost."""
    from sciflow.engine.clearing import all_remains
    from sciflow.view.runs import for_terminal

    left = list(all_remains(run.folder for run in runs))
    if not left:
        note("these runs have left nothing on other machines")
        return 0
    roots = {found.folder.root for found in left}
    show(for_terminal([run for run in runs if run.folder in roots], now_s=time.time()))
    wish = _wish(left, discard=discard)
    if dry_run:
        note(f"would remove {wish}")
    elif confirmed(f"Remove {wish}?"):
        return _clear_all(left, discard=discard)
    else:
        note("nothing was removed")
    return 0


def _wish(left: Sequence[Remains], *, discard: bool) -> str:
    """What is to be removed, and what becomes of what is not home."""
    places = ", ".join(sorted({name for found in left for name in found.executors}))
    before = "is LOST" if discard else "comes home before"
    have = "has" if len(left) == 1 else "have"
    others = sum(found.adopted for found in left)
    whose = f", {others} of them begun elsewhere and not only yours" if others else ""
    return f"what {count(len(left), 'run')} {have} left at {places}{_much(left)}{whose}; what is not home yet {before}"


def _clear_all(left: Sequence[Remains], *, discard: bool) -> int:
    """Does it; the exit code."""
    from sciflow.engine.clearing import clear

    failed = freed = 0
    for found in left:
        try:
            freed += clear(found.folder, discard=discard)
        except (RunError, HostError, SciflowError) as error:
            note(f"sciflow: {error}")
            failed += 1
    much = f", {size(freed)}" if freed else ""
    note(f"removed what {count(len(left) - failed, 'run')} had left{much}" + (f"; {failed} failed" if failed else ""))
    return 1 if failed else 0


def _much(left: Sequence[Remains]) -> str:
    """How much it is, as far as places tell."""
    from sciflow.engine.clearing import weight

    try:
        weights = [found for one in left if (found := weight(one)) is not None]
    except HostError:
        return ""  # why, is told where it is to be removed
    if not weights:
        return ""
    return f" ({size(sum(weights))}{'' if len(weights) == len(left) else ' in buckets'})"
