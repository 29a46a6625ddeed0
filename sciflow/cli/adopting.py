"""`sciflow adopt RUN --on NAME`: a run that was begun on another machine, or in Argo itself, is read from here."""

from __future__ import annotations

from pathlib import Path

import click

from sciflow.cli.output import json_option, note, show_json
from sciflow.cli.reference import runs_folder, runs_option


@click.command()
@click.argument("reference", metavar="RUN")
@click.option("--on", "executor", required=True, metavar="NAME", help="The executor, of type argo, that has it.")
@runs_option
@json_option
def adopt(reference: str, executor: str, runs: Path | None, as_json: bool) -> None:
    """Follow a run from here that was begun elsewhere: on another machine, or in Argo itself.

    RUN is its id, the name of its Workflow, or the beginning of its id. One that is here already is followed again.
    """
    from sciflow.engine import api

    run = api.adopt(reference, on=executor, runs=runs_folder(runs))
    if as_json:
        show_json({"id": run.id, "folder": run.folder})
    elif run.running:
        note(f"{run.id} is followed from here; look on with: sciflow watch {run.id}")
    else:
        note(f"{run.id} is here, and has ended: sciflow show {run.id}")
