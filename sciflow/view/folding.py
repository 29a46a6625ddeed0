"""Steps of a workflow that calls itself: one line for all depths.

The steps of each depth have paths of their own, `again/step`, `again/again/step`. What repeats in a path is written
once, and steps that then have the same path are put together.
"""

from __future__ import annotations

from collections.abc import Sequence

from sciflow.core.progress import StepProgress
from sciflow.core.records import Phase

LONGEST = 4  # workflows that call each other in turn, as far as repetition is looked for
COUNTS = ("done", "running", "cached", "failed", "skipped", "omitted", "flagged")
RANKS = (Phase.SUSPENDED, Phase.RUNNING, Phase.PENDING, Phase.FAILED, Phase.ERROR, Phase.OMITTED, Phase.SUCCEEDED)


def folded(steps: Sequence[StepProgress]) -> tuple[StepProgress, ...]:
    """The steps in their order, those of all depths of a recursion as one."""
    known: dict[str, tuple[str, ...]] = {"": ()}
    groups: dict[tuple[str, ...], list[StepProgress]] = {}
    for step in steps:
        groups.setdefault(_written_once(step.path, known), []).append(step)
    return tuple(parts[0] if len(parts) == 1 else _together("/".join(name), parts) for name, parts in groups.items())


def _written_once(path: str, known: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The path without repetitions; `known` has those of the paths above it, which come up first."""
    above = path
    while above not in known:
        above = above.rpartition("/")[0]
    for name in path[len(above) :].strip("/").split("/") if above != path else ():
        above_parts = known[above]
        above = f"{above}/{name}" if above else name
        known[above] = _without_repetition((*above_parts, name))
    return known[path]


def _without_repetition(parts: tuple[str, ...]) -> tuple[str, ...]:
    for size in range(1, LONGEST + 1):
        if parts[-size:] == parts[-2 * size : -size]:
            return parts[:-size]
    return parts


def _together(path: str, parts: Sequence[StepProgress]) -> StepProgress:
    inside = parts[1].path.startswith(f"{parts[0].path}/")  # each depth lies in the time of the one above it
    times = [part.elapsed_s for part in parts]
    return StepProgress(
        path=path,
        phase=next((phase for phase in RANKS if any(part.phase is phase for part in parts)), Phase.SKIPPED),
        total=_total(parts),
        **{name: sum(getattr(part, name) for part in parts) for name in COUNTS},
        elapsed_s=max(times) if inside else sum(times),
        message=next((part.message for part in reversed(parts) if part.message), ""),
    )


def _total(parts: Sequence[StepProgress]) -> int | None:
    """Not known while a part has begun whose own is not."""
    if any(part.total is None and not part.phase.ended for part in parts):
        return None
    return sum(part.skipped + part.omitted if part.total is None else part.total for part in parts)
