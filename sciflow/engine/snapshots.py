"""Pictures of a run at work, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sciflow.core.progress import Snapshot, StepProgress
from sciflow.core.records import Phase
from sciflow.engine.activation import StepCount


def snapshot(
    *,
    run_id: str,
    name: str,
    phase: Phase,
    started: float,
    seconds: float,
    now: float,
    steps: Mapping[str, StepCount],
    messages: Mapping[str, str],
    held: Mapping[str, int] = MappingProxyType({}),
    message: str = "",
    passing: bool = False,
) -> Snapshot:
    """The run at the moment `now` of the steps' (monotonic) clock.

    `held`: tasks of steps that were handed over and have not begun.
    """
    rest = Phase.PENDING if phase.at_rest else None  # nothing runs any more
    rows = tuple(
        step_progress(step, now, messages.get(step.path, ""), rest, held=held.get(step.path, 0))
        for step in steps.values()
    )
    return Snapshot(
        run_id=run_id,
        name=name,
        phase=phase,
        started=started,
        seconds=seconds,
        steps=tuple(map(given_up, rows)) if phase is Phase.FAILED else rows,
        message=message,
        passing=passing,
    )


def given_up(step: StepProgress) -> StepProgress:
    """A step of a run that has ended before all was done: what has not ended is not run any more, short of a retry."""
    if step.phase.ended:
        return msgspec.structs.replace(step, running=0)
    left = max(0, (step.total or 0) - step.done)
    return msgspec.structs.replace(
        step,
        phase=Phase.FAILED if step.failed else Phase.OMITTED,
        done=step.done + left,
        omitted=step.omitted + left,
        running=0,
        remaining_s=None,
    )


def step_progress(
    step: StepCount, now: float, message: str, rest: Phase | None = None, *, held: int = 0
) -> StepProgress:
    """One step; what is left is guessed from the pace of the tasks that this session has computed.

    `rest` is the phase of a step that would be running, in a run that no longer is.
    """
    running = max(0, step.running - held)
    phase = _phase(step, running)
    ended = step.done + step.failed
    elapsed_s, remaining_s = _times(step, ended, now)
    if phase is Phase.RUNNING and rest is not None:
        phase = Phase.FAILED if step.failed else rest
    return StepProgress(
        path=step.path,
        phase=phase,
        total=step.total if step.counted else None,
        done=ended + step.skipped + step.omitted,
        running=running if rest is None else 0,
        cached=step.cached,
        failed=step.failed,
        skipped=step.skipped,
        omitted=step.omitted,
        flagged=step.flagged,
        elapsed_s=elapsed_s,
        remaining_s=remaining_s if rest is None else None,
        message=message,
    )


def _times(step: StepCount, ended: int, now: float) -> tuple[float, float | None]:
    """Seconds since its first task started, and those that are left."""
    if not step.started:
        return 0.0, None
    left, computed = step.total - ended, ended - step.cached - step.earlier
    elapsed_s = (step.ended if left <= 0 and step.ended else now) - step.started
    return elapsed_s, elapsed_s / computed * left if computed > 0 and left > 0 else None


def _phase(step: StepCount, running: int) -> Phase:
    ended = step.done + step.failed
    if step.suspended:
        return Phase.SUSPENDED
    if step.total and ended < step.total:
        return Phase.RUNNING if ended or running else Phase.PENDING
    told = (
        (step.failed, Phase.FAILED),
        (step.omitted, Phase.OMITTED),
        (step.done or (step.counted and not step.skipped), Phase.SUCCEEDED),
        (step.skipped, Phase.SKIPPED),
    )
    return next((phase for holds, phase in told if holds), Phase.PENDING)
