"""Commands that change the course of a run: retry, resume, suspend, stop, cancel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sciflow.cli.ending import finish
from sciflow.cli.output import json_option, note, show_json
from sciflow.cli.reference import SuspendedNode, open_run, run_argument
from sciflow.core.records import RUN_ENDS, Phase

if TYPE_CHECKING:
    from sciflow.engine.api import Run

detach_option = click.option(
    "--detach/--here", default=None, help="In a process of its own, or in this one; else as the run was started."
)


@click.command()
@run_argument
@detach_option
@json_option
def retry(reference: str, runs: Path | None, detach: bool | None, as_json: bool) -> int:
    """Run again what failed or was omitted, and nothing else."""
    run = open_run(reference, runs)
    return _went_on(run, run.retry(detach=detach), as_json=as_json)


@click.command()
@run_argument
@detach_option
@json_option
def resubmit(reference: str, runs: Path | None, detach: bool | None, as_json: bool) -> int:
    """Run the same workflow with the same inputs once more, as a new run."""
    run = open_run(reference, runs).resubmit(detach=detach)
    return _went_on(run, run.phase, as_json=as_json)


@click.command()
@run_argument
@click.option("--value", help="What the suspended step gives on: JSON, or text.")
@click.option("--node", default="", type=SuspendedNode(), help="Which suspended step is meant, if there are several.")
@detach_option
@json_option
def resume(
    reference: str, *, runs: Path | None, value: str | None, node: str, detach: bool | None, as_json: bool
) -> int:
    """Go on with a run that was suspended, stopped or killed; what has ended is not run again."""
    run = open_run(reference, runs)
    return _went_on(run, run.resume(_value(value), node=node, detach=detach), as_json=as_json)


def _went_on(run: Run[Any], phase: Phase, *, as_json: bool) -> int:
    """How it ended, where the engine was this process; where it is another one, how to follow it."""
    if phase.ended:
        return finish(run, as_json=as_json)
    if as_json:
        show_json({"id": run.id, "folder": run.folder})
    else:
        note(f"{run.id} goes on; follow it with: sciflow watch {run.id}")
    return 0


def _value(text: str | None) -> Any:
    """JSON, or what is none as text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


@click.command()
@run_argument
def suspend(reference: str, runs: Path | None) -> None:
    """Begin no further task until the run is resumed; tasks that run go on to their end."""
    run = open_run(reference, runs)
    if _is_over(run):
        return
    run.suspend()
    note(f"asked {run.id} to suspend; go on with: sciflow resume {run.id}")


@click.command()
@run_argument
def stop(reference: str, runs: Path | None) -> None:
    """Begin no further task, let those that run come to their end, and call the exit handler."""
    run = open_run(reference, runs)
    if _is_over(run):
        return
    run.stop()
    note(f"asked {run.id} to stop; go on with: sciflow retry {run.id}")


@click.command()
@run_argument
def cancel(reference: str, runs: Path | None) -> None:
    """End a run at once: tasks that run are killed, the exit handler is not called."""
    run = open_run(reference, runs)
    over = _is_over(run)
    run.cancel()  # of one that has ended, jobs may be left on a cluster
    if not over:
        note(f"asked {run.id} to end; run it again with: sciflow retry {run.id}")


def _is_over(run: Run[Any]) -> bool:
    """Whether it has ended, which is then said."""
    phase = run.phase
    over = phase in RUN_ENDS
    if over:
        note(f"{run.id} has ended already: {str(phase).lower()}")
    return over
