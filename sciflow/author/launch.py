"""From an op or workflow to a run: trace, check, encode the arguments, hand over to the engine."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciflow.author.arguments import encode_arguments
from sciflow.author.lift import Unencodable, encoded
from sciflow.author.location import place_of, user_place
from sciflow.author.option_check import RUN_RULES, unfit_values
from sciflow.author.session import Session
from sciflow.author.verbs import Verbs
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import Task
from sciflow.core.validate import validate
from sciflow.errors import InvalidWorkflow, Problem

if TYPE_CHECKING:
    from sciflow.core.progress import Plan
    from sciflow.engine.api import RunOptions
    from sciflow.engine.deployment import Deployed, Wish
    from sciflow.engine.handle import Run


def spec_of(target: Verbs[..., Any]) -> WorkflowSpec:
    """The workflow, or the op as a workflow of one node, as checked records.

    Raises:
        InvalidWorkflow: every mistake that was found.
    """
    session = Session()
    try:
        spec = session.spec(target)
    except InvalidWorkflow as stop:  # a line that could not be traced further
        found = [*session.problems, *stop.problems, *validate(session.unfinished(target))]
        raise InvalidWorkflow(in_order(found)) from None
    except RecursionError:
        deep = Problem(
            where=place_of(target.function.__code__),
            what="workflows stand in one another too deep to be traced",
            fix="let a workflow call itself under a `when`, or put levels together",
        )
        raise InvalidWorkflow([deep]) from None
    problems = [*session.problems, *validate(spec)]
    if problems:
        raise InvalidWorkflow(in_order(problems))
    return spec


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Without repetitions, each file's by line."""
    files: dict[str, int] = {}

    def place(problem: Problem) -> tuple[int, int]:
        file, _, line = problem.where.rpartition(":")
        return files.setdefault(file, len(files)), int(line) if line.isdigit() else 0

    return sorted(dict.fromkeys(problems), key=place)


def run(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Run[Any]:
    """Run in this process."""
    from sciflow.engine import api

    target, kwargs = _placed(target, kwargs)
    spec, trees = _prepared(target, args, kwargs)
    return api.run(spec, trees, options=run_options(target))


def submit(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Run[Any]:
    """Run in a process of its own."""
    from sciflow.engine import api

    target, kwargs = _placed(target, kwargs)
    spec, trees = _prepared(target, args, kwargs)
    return api.submit(spec, trees, options=run_options(target))


def plan(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Plan:
    """What a run would do."""
    from sciflow.engine import api

    target, kwargs = _placed(target, kwargs)
    spec, trees = _prepared(target, args, kwargs)
    return api.plan(spec, trees, options=run_options(target))


def deploy(target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Deployed:
    """Make it one from which others start runs."""
    from sciflow.engine.deployment import deploy as deployed

    target, kwargs = _placed(target, kwargs)
    inputs = inspect.signature(target.function).parameters
    when = {name: kwargs[name] for name in ("cron", "timezone") if name in kwargs and name not in inputs}
    rest = {name: value for name, value in kwargs.items() if name not in when}
    spec, trees = _prepared(target, args, rest, whole=False)
    options = run_options(target)
    return deployed(spec, trees, options=options, wish=deployment_wish(target, spec, options, **when))


def deployment_wish(
    target: Verbs[..., Any], spec: WorkflowSpec, options: RunOptions, *, cron: str = "", timezone: str = ""
) -> Wish:
    """What is to be deployed of a target."""
    from sciflow.engine.deployment import Schedule, Wish

    about = " ".join((target.__doc__ or "").strip().partition("\n\n")[0].split())
    schedule = Schedule(cron=cron, timezone=timezone) if cron else None
    return Wish(name=options.name or spec.name, about=about, schedule=schedule)


def _placed(target: Verbs[..., Any], kwargs: Mapping[str, Any]) -> tuple[Verbs[..., Any], Mapping[str, Any]]:
    """The target with the executor that `on` names, and the other arguments."""
    if "on" not in kwargs or "on" in inspect.signature(target.function).parameters:
        return target, kwargs
    rest = {name: value for name, value in kwargs.items() if name != "on"}
    return target._with(fixed={}, settings={"executor": kwargs["on"]}), rest  # noqa: SLF001  its own kind


def _prepared(
    target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, whole: bool = True
) -> tuple[WorkflowSpec, dict[str, Any]]:
    where = user_place()
    wrong = [*unfit_values(_of_run(target), where, rules=RUN_RULES), *_of_calls(target, where)]
    if wrong:
        raise InvalidWorkflow(wrong)
    spec = spec_of(target)
    return spec, encode_arguments(spec, target, args, kwargs, where=where, whole=whole)


def run_options(target: Verbs[..., Any], given: Mapping[str, Any] | None = None) -> RunOptions:
    """The options of a run of `target`: those that it carries, and those `given` for this run before them."""
    from sciflow.engine.api import RunOptions

    chosen = {**_of_run(target), **(given or {})}
    for name in _AS_TAKEN.keys() & chosen.keys():
        chosen[name] = _AS_TAKEN[name](chosen[name])
    script = getattr(sys.modules["__main__"], "__file__", None)
    return RunOptions(
        **chosen,
        argv=tuple(sys.argv),
        sys_path=tuple(os.path.abspath(p) for p in sys.path),  # noqa: PTH100  names of zip files too
        script=None if script is None else os.path.abspath(script),  # noqa: PTH100
    )


def _of_run(target: Verbs[..., Any]) -> dict[str, Any]:
    """The options that `target` carries for its runs."""
    return {name: value for name, value in target.settings.items() if name in target.run_names}


def _of_calls(target: Verbs[..., Any], where: str) -> Iterator[Problem]:
    """A problem for each option that a run would leave aside."""
    for name in sorted(target.call_only & target.settings.keys()):
        yield Problem(
            where=where,
            what=f"option {name} is of a call in a workflow, not of a run",
            expected="one of " + ", ".join(sorted(target.run_names)),
            found=name,
            fix=f"leave {name} out, or call {target.__name__} in a workflow",
        )


def _folder(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


def _all_reused(values: Mapping[str, Any]) -> dict[str, Tree]:
    return {key: _reused(value, key) for key, value in values.items()}


def _reused(value: Any, key: str) -> Tree:
    """The output of a task of an earlier run, its files brought home, or a value given in its place."""
    if isinstance(value, Task):
        return _brought(value)
    try:
        return encoded(value)
    except Unencodable as error:
        what = f"reuse of {key!r} cannot be written into the run"
        expected = "a task of an earlier run, or a value that travels"
        problem = Problem(where=user_place(), what=what, expected=expected, found=error.found, fix=error.fix)
        raise InvalidWorkflow([problem]) from error


def _brought(task: Task) -> Tree:
    import msgspec

    from sciflow.engine.bringing import bring_values

    bring_values(task.run_folder, [msgspec.json.encode(task.output)])
    return task.output


_AS_TAKEN: Mapping[str, Callable[[Any], Any]] = {"runs": _folder, "reuse": _all_reused}
