"""How a command ends that has run something: one line about the run, its result or its report, the exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sciflow.cli.output import code_of, note, show, show_json, stdout
from sciflow.core.expr import Tree
from sciflow.core.records import Phase
from sciflow.errors import RunFailed

if TYPE_CHECKING:
    from sciflow.engine.api import Run


def finish(run: Run[Any], *, as_json: bool) -> int:
    """Print how the run ended, and give the exit code."""
    from sciflow.view.runs import ending

    snapshot = run.snapshot()
    phase = snapshot.phase
    if as_json:
        show_json(_facts(run, phase, snapshot.seconds))
    elif phase is Phase.SUCCEEDED:
        note(f"{ending(snapshot)}\nfolder: {run.folder}\n")
        show_result(run)
    elif phase in (Phase.PENDING, Phase.RUNNING):
        note(f"{run.id} goes on; follow it with: sciflow watch {run.id}")
        return 0
    elif phase is Phase.SUSPENDED:
        answer = " --value ..." if snapshot.message.startswith("waits for an answer") else ""
        note(f"{run.id}: {snapshot.message}\nresume:  sciflow resume {run.id}{answer}")
    else:
        sys.stdout.flush()
        note("\n" + run.report())
    return code_of(phase)


def show_result(run: Run[Any], task: str | None = None, *, as_json: bool = False) -> None:
    """Print the result of a run, or what a task or a step gave back.

    Raises:
        RunFailed: there is none.
    """
    from sciflow.view.plain import plain
    from sciflow.view.result import for_people

    tree = run.result_tree() if task is None else _output_tree(run, task)
    if as_json:
        show_json(plain(tree, folder=run.folder))
        return
    shown = for_people(tree, width=stdout().width)
    if shown is not None:
        show(shown)


def _output_tree(run: Run[Any], path: str) -> Tree:
    """What the task with that path gave back; of a fan or a step, the list of what its tasks did."""
    tasks = run.tasks(path)
    if all(task.phase is not Phase.SUCCEEDED for task in tasks):
        phase = tasks[0].phase if tasks else Phase.PENDING
        raise RunFailed(f"{path} has given nothing back: {phase.lower()}; see: sciflow explain {run.id} {path}")
    return tasks[0].output if tasks[0].path == path else [task.output for task in tasks]


def _facts(run: Run[Any], phase: Phase, seconds: float) -> dict[str, Any]:
    from sciflow.view.plain import plain

    facts = {"id": run.id, "name": run.name, "phase": phase, "seconds": seconds, "folder": run.folder}
    if phase is Phase.SUCCEEDED:
        return facts | {"result": plain(run.result_tree(), folder=run.folder)}
    return facts | {"errors": run.errors}
