"""Commands that look at runs and change nothing: list, show, watch, logs, table, result, explain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sciflow import config
from sciflow.cli.duration import Seconds
from sciflow.cli.ending import finish, show_result
from sciflow.cli.output import json_option, note, show, show_json, stdout
from sciflow.cli.reference import TaskPath, open_run, run_argument, runs_folder, runs_option
from sciflow.core.records import Phase

if TYPE_CHECKING:
    from sciflow.engine.api import Run

PHASES = click.Choice([phase.value for phase in Phase], case_sensitive=False)


@click.command("list")
@runs_option
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="Only so many, the newest.")
@click.option("--phase", type=PHASES, metavar="PHASE", help="Only those in this phase.")
@click.option("--on", "executor", metavar="NAME", help="Those that this executor has, of type argo; newest first.")
@json_option
def list_(*, runs: Path | None, number: int | None, phase: str | None, executor: str | None, as_json: bool) -> None:
    """List the runs, newest last."""
    from sciflow.engine import api
    from sciflow.view.runs import for_terminal

    folder = runs_folder(runs)
    if executor is not None:
        _list_elsewhere(executor, folder, number=number, phase=phase, as_json=as_json)
        return
    found = [run for run in api.list_runs(runs=folder) if phase is None or run.phase.lower() == phase.lower()]
    found = found[-number:] if number else found
    if as_json:
        show_json(found)
    elif found:
        show(for_terminal(found, now_s=time.time()))
    else:
        note(f"no runs in {folder}")


def _list_elsewhere(executor: str, folder: Path, *, number: int | None, phase: str | None, as_json: bool) -> None:
    from sciflow.engine import api
    from sciflow.view.runs import for_terminal_elsewhere

    found = api.list_runs(runs=folder, on=executor, most=number if phase is None else None)
    found = [run for run in found if phase is None or run.phase.lower() == phase.lower()][:number]
    if as_json:
        show_json(found)
    elif found:
        show(for_terminal_elsewhere(found, now_s=time.time()))
    else:
        note(f"no runs at {executor}")


@click.command("show")
@run_argument
@json_option
def show_(reference: str, runs: Path | None, as_json: bool) -> None:
    """Show a run: its steps, and its result or what went wrong."""
    from rich.text import Text

    from sciflow.view.progress import for_terminal, headline

    run = open_run(reference, runs)
    snapshot = run.snapshot()
    if as_json:
        show_json({"folder": run.folder, "snapshot": snapshot, "errors": run.errors})
        return
    console = stdout()
    show(Text(headline(snapshot), style="bold"))
    show(for_terminal(snapshot, width=min(console.width, 120)))
    conductor = _conductor(run)
    if conductor:
        from sciflow.executors.registry import name_there

        click.echo(f"at {conductor}: {name_there(conductor, config.load().executors, run.id)}")
    if snapshot.phase is Phase.SUCCEEDED:
        show_result(run)
    elif snapshot.phase.bad:
        click.echo("\n" + run.report())  # with the folder
        return
    click.echo(f"folder: {run.folder}")


def _conductor(run: Run[Any]) -> str:
    """The executor that carries out the run as a whole, if one does that the settings know."""
    from sciflow.executors.conducted import noted_conductor
    from sciflow.executors.registry import conducts

    name = noted_conductor(run.folder)
    return name if conducts(name, config.load().executors) else ""


@click.command()
@run_argument
@click.option("--every-s", type=Seconds(), default=0.2, show_default=True, help="Seconds between two looks.")
def watch(reference: str, runs: Path | None, every_s: float) -> int:
    """Follow a run until it ends; the exit code says how. Ctrl-C ends the watching, not the run."""
    from sciflow.view.display import open_display

    run = open_run(reference, runs)
    display = open_display()
    try:
        for snapshot in run.watch(interval_s=every_s):
            display.show(snapshot)
    finally:
        display.close()
    return finish(run, as_json=False)


@click.command()
@run_argument
@click.argument("task", required=False, type=TaskPath())
@click.option("--stream", type=click.Choice(["both", "out", "err"]), default="both", show_default=True)
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="Only the last N lines.")
@click.option("-f", "--follow", is_flag=True, help="What running tasks print, as they do, until the run ends.")
@click.option("--events", is_flag=True, help="Instead, what happened to the run: resumed, cancelled, engine died ...")
def logs(
    *,
    reference: str,
    runs: Path | None,
    task: str | None,
    stream: str,
    tail: int | None,
    follow: bool,
    events: bool,
) -> None:
    """Print what tasks wrote: of one (`sciflow logs last energy/12`), of a step, or, without TASK, of all failed."""
    if events:
        for event in open_run(reference, runs).events()[-(tail or 0) :]:
            click.echo(
                f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(event.time))}  {event.kind:<9}  {event.text}"
            )
        return
    run = open_run(reference, runs)
    if follow:
        _follow(run, task)
        return
    text = run.logs(task, stream=stream, tail=tail)
    click.echo(text, nl=False)
    if not text and task is None:
        note("no failed task has written anything; name a task or a step")
    elif not text and _conductor(run):
        note(f"nothing was printed so far; what comes is printed by: sciflow logs {run.id} {task} --follow")
    elif not text:
        note(f"nothing was printed by those that have ended; what running tasks print lies in {run.folder}/logs")


def _follow(run: Run[Any], task: str | None) -> None:
    """Prints lines as they come, each who prints under a head of its own."""
    who = ""
    for line in run.follow(task):
        if line.who != who:
            who = line.who
            click.echo(f"==> {who} <==")
        click.echo(line.text)


@click.command()
@run_argument
@click.argument("step", required=False, type=TaskPath())
@click.option("--phase", type=PHASES, metavar="PHASE", help="Only tasks in this phase.")
@click.option("--csv", is_flag=True, help="Comma-separated, every column.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write CSV into this file.")
@json_option
def table(
    *,
    reference: str,
    runs: Path | None,
    step: str | None,
    phase: str | None,
    csv: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """A table of tasks, of all steps or of STEP: inputs, outputs, phase, time, error."""
    from sciflow.view import table as view
    from sciflow.view.grid import for_terminal
    from sciflow.view.plain import plain

    run = open_run(reference, runs)
    wanted = None if phase is None else next(p for p in Phase if p.lower() == phase.lower())
    rows = view.of_tasks(run.tasks(step, phase=wanted))
    if output is not None:
        output.write_text(view.as_csv(rows, folder=run.folder), "utf-8")
        note(f"wrote {output}: {len(rows)} rows")
    elif as_json:
        show_json([{name: plain(value, folder=run.folder) for name, value in row.items()} for row in rows])
    elif csv:
        click.echo(view.as_csv(rows, folder=run.folder), nl=False)
    else:
        show(for_terminal(rows, width=stdout().width))


@click.command()
@run_argument
@click.argument("task", required=False, type=TaskPath())
@json_option
def result(reference: str, runs: Path | None, task: str | None, as_json: bool) -> None:
    """Print the result of a run; of one that failed, its report. With TASK, what that task or step gave back."""
    show_result(open_run(reference, runs), task, as_json=as_json)


@click.command()
@run_argument
@click.argument("task", type=TaskPath())
def explain(reference: str, runs: Path | None, task: str) -> None:
    """Say why a task was run, or taken from the cache: `sciflow explain last energy/12`."""
    click.echo(open_run(reference, runs).explain(task))
