"""From an op or workflow to a run: trace, check, encode the arguments, hand over to the engine."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciflow.author.arguments import encode_arguments
from sciflow.author.lift import encoded
from sciflow.author.location import user_place
from sciflow.author.options import RUN_NAMES
from sciflow.author.session import Session
from sciflow.author.verbs import Verbs
from sciflow.author.workflow import Workflow
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Task
from sciflow.core.validate import validate
from sciflow.errors import InvalidWorkflow

if TYPE_CHECKING:
    from sciflow.engine.api import RunOptions
    from sciflow.engine.handle import Run
    from sciflow.engine.plan import Plan


def spec_of(target: Verbs[..., Any]) -> WorkflowSpec:
    """The workflow, or the op as a workflow of one node, as checked records.

    Raises:
        InvalidWorkflow: every mistake that was found.
    """
    session = Session()
    spec = session.spec(target)
    problems = unique([*session.problems, *validate(spec)])
    if problems:
        raise InvalidWorkflow(problems)
    return spec


def unique(problems: Sequence[Any]) -> list[Any]:
    """Without repetitions, in the order they were found."""
    return list(dict.fromkeys(problems))


def run(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Run[Any]:
    """Run in this process."""
    from sciflow.engine import api

    spec, trees = _prepared(target, args, kwargs)
    return api.run(spec, trees, options=run_options(target))


def submit(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Run[Any]:
    """Run in a process of its own."""
    from sciflow.engine import api

    spec, trees = _prepared(target, args, kwargs)
    return api.submit(spec, trees, options=run_options(target))


def plan(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Plan:
    """What a run would do."""
    from sciflow.engine import api

    spec, trees = _prepared(target, args, kwargs)
    return api.plan(spec, trees, options=run_options(target))


def _prepared(
    target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[WorkflowSpec, dict[str, Any]]:
    where = user_place()
    spec = spec_of(target)
    return spec, encode_arguments(spec, target, args, kwargs, where=where)


def run_options(target: Verbs[..., Any], given: Mapping[str, Any] | None = None) -> RunOptions:
    """The options of a run of `target`: those that it carries, and those `given` for this run before them."""
    from sciflow.engine.api import RunOptions

    chosen = {n: v for n, v in target.settings.items() if n in RUN_NAMES} if isinstance(target, Workflow) else {}
    chosen |= given or {}
    script = getattr(sys.modules["__main__"], "__file__", None)
    if chosen.get("runs") is not None:
        chosen["runs"] = Path(chosen["runs"])
    if "reuse" in chosen:
        chosen["reuse"] = {key: _reused(value) for key, value in chosen["reuse"].items()}
    return RunOptions(
        **chosen,
        argv=tuple(sys.argv),
        sys_path=tuple(str(Path(p).absolute()) for p in sys.path),
        script=None if script is None else str(Path(script).absolute()),
    )


def _reused(value: Any) -> Tree:
    """The output of a task of an earlier run, or a value given in its place."""
    return value.output if isinstance(value, Task) else encoded(value)
