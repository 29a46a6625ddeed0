"""What a run has come to, by its tasks and by what was asked of its engine. Pure."""

from __future__ import annotations

from collections.abc import Container

from sciflow.core.graph import Suspend, WorkflowSpec
from sciflow.core.records import Phase, TaskError
from sciflow.engine.activation import NodeRun
from sciflow.engine.halt import Halt, Level
from sciflow.engine.outcome import Outcome
from sciflow.engine.scheduler import Scheduler


def outcome_of(
    scheduler: Scheduler, halt: Halt, *, asking: bool, home: bool = True, outliving: Container[str] = frozenset()
) -> Outcome | None:
    """What the run has come to, if its engine has nothing more to do.

    `asking`: an op was sent to be loaded, and what it is known by has not come back.
    `home`: the files of the result are here, or may be waited for.
    `outliving`: executors whose tasks go on without the engine; one that is interrupted leaves them to the next.
    """
    outcome = scheduler.outcome
    if outcome is not None and home and not (halt.ends and outcome.phase is Phase.FAILED):
        return outcome
    left = outliving if halt.interrupts else ()
    held = any(flight.job.need.executor not in left for flight in scheduler.in_flight.values())
    if held or (asking and halt.level is Level.NONE):
        return None
    if halt.level >= Level.STOP:
        error = TaskError(kind="cancelled", type="sciflow:Halted", message=halt.why)
        return Outcome(Phase.FAILED if halt.ends else Phase.SUSPENDED, error=error)
    return _rest(scheduler, halt)


def _rest(scheduler: Scheduler, halt: Halt) -> Outcome | None:
    """That the run waits for somebody, if it does."""
    stuck = ", ".join(scheduler.gates) if scheduler.idle else ""
    if halt.level is not Level.PAUSE and not stuck:
        return None
    error = TaskError(kind="suspended", message=halt.why or _question(scheduler))
    return Outcome(Phase.SUSPENDED, because=stuck, error=error)


def _question(scheduler: Scheduler) -> str:
    """What the run waits for."""
    asked = [_asked(gate, scheduler.spec) for gate in scheduler.gates.values()]
    return "waits for an answer at " + ", ".join(asked)


def _asked(gate: NodeRun, spec: WorkflowSpec) -> str:
    """The place of a question, and the question."""
    template = spec.templates[gate.node.template]
    return f"{gate.path}: {template.message}" if isinstance(template, Suspend) and template.message else gate.path
