"""Pictures of a run at work, for whoever watches."""

from __future__ import annotations

from collections.abc import Mapping

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
    message: str = "",
) -> Snapshot:
    """The run at the moment `now` of the steps' (monotonic) clock."""
    rest = Phase.PENDING if phase.at_rest else None  # nothing runs any more
    rows = tuple(step_progress(step, now, messages.get(step.path, ""), rest) for step in steps.values())
    return Snapshot(
        run_id=run_id, name=name, phase=phase, started=started, seconds=seconds, steps=rows, message=message
    )


def step_progress(step: StepCount, now: float, message: str, rest: Phase | None = None) -> StepProgress:
    """One step; what is left is guessed from the pace of the tasks that this session has computed.

    `rest` is the phase of a step that would be running, in a run that no longer is.
    """
    phase = _phase(step)
    ended = step.done + step.failed
    elapsed_s, remaining_s = _times(step, ended, now)
    if phase is Phase.RUNNING and rest is not None:
        phase = Phase.FAILED if step.failed else rest
    return StepProgress(
        path=step.path,
        phase=phase,
        total=step.total if step.counted else None,
        done=ended + step.skipped + step.omitted,
        running=step.running if rest is None else 0,
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


def _phase(step: StepCount) -> Phase:
    ended = step.done + step.failed
    if step.suspended:
        return Phase.SUSPENDED
    if step.total and ended < step.total:
        return Phase.RUNNING if ended or step.running else Phase.PENDING
    told = (
        (step.failed, Phase.FAILED),
        (step.omitted, Phase.OMITTED),
        (step.done or (step.counted and not step.skipped), Phase.SUCCEEDED),
        (step.skipped, Phase.SKIPPED),
    )
    return next((phase for holds, phase in told if holds), Phase.PENDING)
