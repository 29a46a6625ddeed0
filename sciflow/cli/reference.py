"""How a command names a run (by id, the beginning of one, a folder, "last") and a task; completed by the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sciflow.errors import SciflowError

if TYPE_CHECKING:
    from sciflow.engine.api import Run

MOST_COMPLETIONS = 200  # more are no help

F = TypeVar("F", bound=Callable[..., Any])


class RunReference(click.ParamType[str]):
    """A run's name, completed from the runs that there are."""

    name = "run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The ids that begin so."""
        from click.shell_completion import CompletionItem

        from sciflow.engine import api

        ids = [run.id for run in api.list_runs(runs=runs_folder(None))]
        return [CompletionItem(id_) for id_ in [*reversed(ids), "last"] if id_.startswith(incomplete)]


class TaskPath(click.ParamType[str]):
    """The path of a task, a node or a step, completed from the nodes of the run that is named before it."""

    name = "task"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The nodes that begin so; once one is written out, its slices."""
        from click.shell_completion import CompletionItem

        try:
            run = open_run(ctx.params.get("reference") or "last", ctx.params.get("runs"))
            found = run.paths(incomplete, most=MOST_COMPLETIONS)
        except SciflowError:  # no such run: nothing to complete
            return []
        return [CompletionItem(path) for path in found]


class SuspendedNode(click.ParamType[str]):
    """The path of a node that waits to be resumed, completed from those of the run that is named before it."""

    name = "node"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The nodes that wait and begin so."""
        from click.shell_completion import CompletionItem

        try:
            waiting = open_run(ctx.params.get("reference") or "last", ctx.params.get("runs")).waiting()
        except SciflowError:  # no such run: nothing to complete
            return []
        return [CompletionItem(path) for path in waiting if path.startswith(incomplete)]


runs_option = click.option(
    "--runs", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run folders; else as configured."
)


def run_argument(command: F) -> F:
    """RUN, by default the last one, and the folder in which it is looked for."""
    return click.argument("reference", metavar="[RUN]", default="last", type=RunReference())(runs_option(command))


def runs_folder(chosen: Path | None) -> Path:
    """The folder of the run folders that holds here."""
    from sciflow import config

    return config.load(arguments={"runs": chosen}).runs


def open_run(reference: str, runs: Path | None) -> Run[Any]:
    """The run that is meant.

    Raises:
        RunNotFound: none, or several.
    """
    from sciflow.engine import api

    return api.open_run(reference, runs=runs_folder(runs))
