"""The end of a task, from what an executor reports of it."""

from __future__ import annotations

from sciflow.core.records import Extra, Phase
from sciflow.engine.journal import Ending
from sciflow.executors.executor import Died, Ended


def ending_of(report: Ended | Died) -> Ending:
    """How the attempt ended that the report is about."""
    match report:
        case Ended(reply=reply):
            phase = Phase(reply.phase)
            return Ending(
                phase,
                bytes(reply.output) if phase is Phase.SUCCEEDED else None,
                reply.started,
                reply.seconds,
                report.worker,
                (report.stdout_start, reply.stdout_end),
                (report.stderr_start, reply.stderr_end),
                reply.extra,
                followed=report.followed,
            )
        case Died(error=error):
            phase = Phase.FAILED if error.kind == "timeout" else Phase.ERROR
            place = (report.worker, report.stdout, report.stderr)
            return Ending(phase, None, report.started, report.seconds, *place, Extra(error=error))
