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
    rest = Phase.PENDING if phase.ended or phase is Phase.SUSPENDED else None  # nothing runs any more
    rows = tuple(step_progress(step, now, messages.get(step.path, ""), rest) for step in steps.values())
    return Snapshot(
        run_id=run_id, name=name, phase=phase, started=started, seconds=seconds, steps=rows, message=message
    )


def step_progress(step: StepCount, now: float, message: str, rest: Phase | None = None) -> StepProgress:
    """One step; what is left is guessed from the pace so far, without the tasks that were taken from the cache.

    `rest` is the phase of a step that would be running, in a run that no longer is.
    """
    phase = _phase(step)
    ended = step.done + step.failed
    elapsed = (step.ended if ended >= step.total and step.ended else now) - step.started if step.started else 0.0
    computed = ended - step.cached
    left = step.total - ended
    remaining = elapsed / computed * left if computed > 0 and left > 0 and rest is None else None
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
        elapsed_s=elapsed,
        remaining_s=remaining,
        message=message,
    )


def _phase(step: StepCount) -> Phase:
    ended = step.done + step.failed
    if step.suspended:
        return Phase.SUSPENDED
    if step.total and ended < step.total:
        return Phase.RUNNING if ended or step.running else Phase.PENDING
    if step.failed:
        return Phase.FAILED
    if step.omitted:
        return Phase.OMITTED
    if step.done or (step.counted and not step.skipped):
        return Phase.SUCCEEDED
    return Phase.SKIPPED if step.skipped else Phase.PENDING
