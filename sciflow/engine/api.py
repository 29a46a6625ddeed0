"""The verbs that scripts, the command line, notebooks and the web page share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

from sciflow import config
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Plan, RunElsewhere, RunSummary
from sciflow.engine.creation import create_run, setup_of
from sciflow.engine.handle import Run
from sciflow.engine.preflight import preflight
from sciflow.engine.run_folder import find_run_folder, list_run_folders
from sciflow.engine.setup import RunOptions
from sciflow.engine.status import summary

__all__ = ["Run", "RunOptions", "adopt", "list_runs", "open_run", "plan", "run", "submit"]


def run(spec: WorkflowSpec, args: Mapping[str, Tree], *, options: RunOptions = RunOptions()) -> Run[Any]:  # noqa: B008
    """Runs a workflow in this process, to its end.

    Raises:
        ConfigError: a setting will not do.
        RunDamaged: the run's folder cannot be made or written.
        RunInterrupted: ctrl-C; the run can be resumed.
    """
    made: Run[Any] = Run(create_run(spec, args, options, detached=False))
    made.carry_on(progress=options.progress)
    return made


def submit(spec: WorkflowSpec, args: Mapping[str, Tree], *, options: RunOptions = RunOptions()) -> Run[Any]:  # noqa: B008
    """Starts a workflow in a process of its own and returns at once.

    Raises:
        ConfigError: a setting will not do.
        RunDamaged: the run's folder cannot be made.
    """
    made: Run[Any] = Run(create_run(spec, args, options, detached=True))
    made.detach()
    return made


def plan(spec: WorkflowSpec, args: Mapping[str, Tree], *, options: RunOptions = RunOptions()) -> Plan:  # noqa: B008
    """What a run would do, without running anything: steps, slices where known, what is cached and why the rest is not.

    Raises:
        ConfigError: a setting will not do.
        InvalidWorkflow: a run could not succeed from here.
    """
    from sciflow.engine.plan import make_plan

    settings = config.load(arguments={"runs": options.runs})
    setup = setup_of(spec, options, settings, detached=False)
    preflight(spec, setup, settings, args)
    return make_plan(spec, args, name=setup.name, runs=settings.runs, reuse=options.reuse, executor=setup.executor)


def open_run(reference: str | Path, *, runs: Path | None = None) -> Run[Any]:
    """The run that is meant by its folder, its id, the beginning of its id, its name (the newest), or "last".

    Raises:
        RunNotFound: there is none.
    """
    folder = runs if runs is not None else config.load().runs
    return Run(find_run_folder(reference, folder))


def adopt(reference: str, *, on: str, runs: Path | None = None) -> Run[Any]:
    """A run that was begun elsewhere, on another machine or by Argo itself, at an executor of type argo.

    Its folder is made here from what the executor's bucket has, and an engine of its own follows it. It is known by
    its id, the name of its Workflow, or the beginning of its id. One that is here is followed, if no engine does.

    Raises:
        RunNotFound: there is none, or there are several.
        ConfigError: the settings do not name the executor as where the run was begun.
        HostError: Argo's server or the bucket gives no answer.
        RunDamaged: no folder can be made.
    """
    from sciflow.engine.adoption import adopt_run

    return Run(adopt_run(reference, on, runs))


@overload
def list_runs(*, runs: Path | None = None, on: None = None, most: int | None = None) -> list[RunSummary]: ...
@overload
def list_runs(*, runs: Path | None = None, on: str, most: int | None = None) -> list[RunElsewhere]: ...


def list_runs(
    *, runs: Path | None = None, on: str | None = None, most: int | None = None
) -> list[RunSummary] | list[RunElsewhere]:
    """Every run in the folder of runs, the oldest first; or those that an executor of type argo has, the newest first.

    `most`: only so many, the newest.

    Raises:
        ConfigError: there is no such executor.
        HostError: Argo's server gives no answer.
    """
    if on is not None:
        from sciflow.engine.adoption import runs_elsewhere

        return runs_elsewhere(on, runs, most=most)
    folder = runs if runs is not None else config.load().runs
    return [summary(found) for found in list_run_folders(folder)[-(most or 0) :]]
