"""Commands that change the course of a run: retry, resume, suspend, stop, cancel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sciflow.cli.ending import finish
from sciflow.cli.output import json_option, note
from sciflow.cli.reference import open_run, run_argument


@click.command()
@run_argument
@json_option
def retry(reference: str, runs: Path | None, as_json: bool) -> int:
    """Run again what failed or was omitted, and nothing else, and wait for it."""
    run = open_run(reference, runs)
    run.retry()
    return finish(run, as_json=as_json)


@click.command()
@run_argument
@click.option("--value", help="What the suspended step gives on: JSON, or text.")
@click.option("--node", default="", help="Which suspended step is meant, if there are several.")
@json_option
def resume(reference: str, runs: Path | None, value: str | None, node: str, as_json: bool) -> int:
    """Go on with a run that was suspended, stopped or killed; what has ended is not run again."""
    run = open_run(reference, runs)
    run.resume(_value(value), node=node)
    return finish(run, as_json=as_json)


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
    run.suspend()
    note(f"asked {run.id} to suspend; go on with: sciflow resume {run.id}")


@click.command()
@run_argument
def stop(reference: str, runs: Path | None) -> None:
    """Begin no further task, let those that run come to their end, and call the exit handler."""
    run = open_run(reference, runs)
    run.stop()
    note(f"asked {run.id} to stop; go on with: sciflow resume {run.id}")


@click.command()
@run_argument
def cancel(reference: str, runs: Path | None) -> None:
    """End a run at once: tasks that run are killed, the exit handler is not called."""
    run = open_run(reference, runs)
    run.cancel()
    note(f"asked {run.id} to end; run it again with: sciflow retry {run.id}")
