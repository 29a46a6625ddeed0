"""`sciflow fetch`: what tasks have left on other machines comes home."""

from __future__ import annotations

from pathlib import Path

import click

from sciflow.cli.output import note
from sciflow.cli.reference import TaskPath, open_run, run_argument
from sciflow.view.quantity import count


@click.command()
@run_argument
@click.argument("task", required=False, type=TaskPath())
def fetch(reference: str, runs: Path | None, task: str | None) -> None:
    """Bring home all that tasks have left on other machines, or what TASK has: a step, a node, a task.

    Results, and outputs that are read, come by themselves; this is for the rest, and for working without the machine.
    """
    run = open_run(reference, runs)
    looked_at = run.fetch(task)
    note(f"{count(looked_at, 'task')}: all files are here\nfolder: {run.folder}")
