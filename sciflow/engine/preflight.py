"""What can only be checked where the run is to happen: executors, secrets, cores. Before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from sciflow.config import Settings, Tables
from sciflow.core.expr import Const, Tree
from sciflow.core.graph import Graph, Node, OpTemplate, Secret, WorkflowSpec
from sciflow.engine.setup import RunSetup
from sciflow.errors import ConfigError, InvalidSettings, InvalidWorkflow, Problem
from sciflow.executors.capacity import Capacity
from sciflow.executors.registry import LOCAL, conducts, executor_names
from sciflow.executors.secrets import resolve_secret

LONGEST_NAME = 200  # a file's name may have 255 bytes, of which date, time and the like take some


def preflight(spec: WorkflowSpec, setup: RunSetup, settings: Settings, inputs: Mapping[str, Tree]) -> None:
    """Refuses a run that cannot succeed from this machine.

    Raises:
        InvalidWorkflow: with everything that was found.
    """
    executors = settings.executors
    capacity = Capacity(cpus=setup.workers, memory_mb=setup.memory_mb, gpus=setup.gpus)
    nodes = nodes_of(spec)
    known = executor_names(executors)
    problems = [problem for node in nodes for problem in _problems(node, setup, known, capacity)]
    if not conducts(setup.executor, executors):
        problems.extend(problem for node in nodes for problem in _secret_problems(node))
    problems.extend(_name_problems(setup.name))
    if setup.executor not in known:
        problems.append(_unknown_executor("the settings", setup.executor, known))
    used = used_executors(spec, setup.executor, executors) & executors.keys()
    problems.extend(_settings_problems(used, executors))
    problems.extend(problem for node in nodes for problem in _resource_problems(node, setup.executor, executors))
    problems.extend(problem for node in nodes for problem in _image_problems(node, setup.executor, spec, executors))
    problems = problems or list(_argo_problems(spec, setup.executor, settings, inputs))
    if problems:
        raise InvalidWorkflow(problems)


def nodes_of(spec: WorkflowSpec) -> list[Node]:
    """Those of all its graphs."""
    return [node for template in spec.templates.values() if isinstance(template, Graph) for node in template.nodes]


def used_executors(spec: WorkflowSpec, default: str, executors: Tables) -> frozenset[str]:
    """The executors that a run may need: all that take single nodes, where the place depends on a value."""
    whole = {name for name in executors if name != default and conducts(name, executors)}
    known = executor_names(executors) - whole
    nodes = nodes_of(spec)
    if any(node.executor is not None and not isinstance(node.executor, Const) for node in nodes):
        return known
    return frozenset({_place(node, default) for node in nodes} & known)


def _place(node: Node, default: str) -> str:
    """Where a node runs; "" if that depends on a value."""
    match node.executor:
        case None:
            return default
        case Const(value=str() as name):
            return name
        case _:
            return ""


def _settings_problems(names: Iterable[str], executors: Tables) -> Iterator[Problem]:
    if names:
        from sciflow.executors.extras import missing_extra
        from sciflow.executors.settings import parse_executor
    for name in sorted(names):
        try:
            lacking = missing_extra(parse_executor(name, executors[name]))
        except InvalidSettings as error:
            yield from error.problems
        else:
            if lacking is not None:
                yield Problem(where=f"[executors.{name}]", what=str(lacking))


def _problems(node: Node, setup: RunSetup, known: frozenset[str], capacity: Capacity) -> Iterator[Problem]:
    if isinstance(node.executor, Const) and node.executor.value not in known:
        yield _unknown_executor(node.where, str(node.executor.value), known)
    here = _place(node, setup.executor) == LOCAL
    if node.image is not None and here:
        fix = "leave `image` out: the local executor runs ops in this machine's own environment"
        yield Problem(where=node.where, what=f"{node.id} names an image, and the local executor has none", fix=fix)
    try:
        if here or setup.quota:
            (capacity if here else setup.quota.capacity()).check(node.resources, node.id)
    except ConfigError as error:
        yield Problem(where=node.where, what=str(error))


def _secret_problems(node: Node) -> Iterator[Problem]:
    for name, value in node.policy.env.items():
        if isinstance(value, Secret):
            try:
                resolve_secret(value)
            except ConfigError as error:
                yield Problem(where=node.where, what=f"{node.id}: the value of {name} is not to be had: {error}")


def _argo_problems(
    spec: WorkflowSpec, default: str, settings: Settings, inputs: Mapping[str, Tree]
) -> Iterator[Problem]:
    executors = settings.executors
    if not conducts(default, executors):
        yield from (problem for node in nodes_of(spec) for problem in _misplaced(node, executors))
        return
    from sciflow.executors.argo.refusals import problems_of_argo
    from sciflow.executors.settings import ArgoSettings, parse_executor

    try:
        argo = parse_executor(default, executors[default])
    except InvalidSettings:  # told elsewhere
        return
    assert isinstance(argo, ArgoSettings)
    yield from problems_of_argo(spec, default, argo, settings.storages, executors=executors, inputs=inputs)


def _misplaced(node: Node, executors: Tables) -> Iterator[Problem]:
    """A node for an executor that carries out nothing but whole runs."""
    place = _place(node, LOCAL)
    if conducts(place, executors):
        yield Problem(
            where=node.where,
            what=f"{node.id} is to run at {place}, which carries out whole runs and no single nodes",
            expected="an executor of another type than argo",
            found=f"executor={place!r}",
            fix=f"leave it out and submit the whole run there: .run(..., on={place!r})",
        )


def _resource_problems(node: Node, default: str, executors: Tables) -> Iterator[Problem]:
    """What a batch system cannot be asked for: nodes of a plain machine, more nodes than ranks."""
    place = _place(node, default)
    if place not in executors:
        return
    from sciflow.executors.batch.rehearsal import refusal
    from sciflow.executors.settings import BatchSettings, parse_executor

    try:
        settings = parse_executor(place, executors[place])
    except InvalidSettings:  # told elsewhere
        return
    why = refusal(settings, node.resources) if isinstance(settings, BatchSettings) else ""
    if why:
        fix = f"correct the options of {node.id}, or [executors.{place}]"
        yield Problem(where=node.where, what=f"{node.id} cannot be submitted at {place}: {why}", fix=fix)


def _image_problems(node: Node, default: str, spec: WorkflowSpec, executors: Tables) -> Iterator[Problem]:
    """An image needs an executor that can run it, and one with a container engine needs an image."""
    place = _place(node, default)
    if place not in executors or not isinstance(spec.templates.get(node.template), OpTemplate):
        return
    from sciflow.executors.settings import ArgoSettings, BatchSettings, parse_executor

    try:
        settings = parse_executor(place, executors[place])
    except ConfigError:  # told elsewhere
        return
    if isinstance(settings, ArgoSettings):
        return
    box = settings.box if isinstance(settings, BatchSettings) else None
    if box is None and node.image is not None:
        yield Problem(
            where=node.where,
            what=f"{node.id} names an image, and the executor {place} has no container engine",
            fix=f'write `container = "apptainer"` (or podman, docker) in [executors.{place}], or leave `image` out',
        )
    if box is not None and node.image is None and not box.image:
        yield Problem(
            where=node.where,
            what=f"{node.id} is to run in a container of {place}, and names no image",
            fix=f"write `.options(image=...)`, or `image` in [executors.{place}]",
        )


def _name_problems(name: str) -> Iterator[Problem]:
    """A run's name begins its folder's name."""
    fits = name[:1].isalnum() or name[:1] == "_"
    if fits and all(c.isalnum() or c in "._-" for c in name) and len(os.fsencode(name)) <= LONGEST_NAME:
        return
    mended = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).lstrip(".-")[: LONGEST_NAME // 4]
    yield Problem(
        where="",
        what=f"{name[:LONGEST_NAME]!r} cannot be a run's name",
        expected=f"letters, digits and . _ - (none of . - in front), at most {LONGEST_NAME} bytes",
        found=f"{len(os.fsencode(name))} bytes" if len(os.fsencode(name)) > LONGEST_NAME else repr(name),
        fix=f"write name={mended or 'run'!r}",
    )


def _unknown_executor(where: str, name: str, known: frozenset[str]) -> Problem:
    return Problem(
        where=where,
        what=f"unknown executor {name!r}",
        expected=f"one of: {', '.join(sorted(known))}",
        found=name,
        fix=f"correct the name, or add [executors.{name}] to sciflow.toml",
    )
