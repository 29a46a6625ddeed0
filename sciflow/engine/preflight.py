"""What can only be checked where the run is to happen: executors, secrets, cores. Before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sciflow.core.expr import Const
from sciflow.core.graph import Graph, Node, Secret, WorkflowSpec
from sciflow.engine.setup import RunSetup
from sciflow.errors import ConfigError, InvalidWorkflow, Problem
from sciflow.executors.capacity import Capacity
from sciflow.executors.secrets import resolve_secret

EXECUTORS = frozenset({"local"})
LONGEST_NAME = 200  # a file's name may have 255 bytes, of which date, time and the like take some


def preflight(spec: WorkflowSpec, setup: RunSetup) -> None:
    """Refuses a run that cannot succeed on this machine.

    Raises:
        InvalidWorkflow: with everything that was found.
    """
    capacity = Capacity(cpus=setup.workers, memory_mb=setup.memory_mb, gpus=setup.gpus)
    nodes = [node for template in spec.templates.values() if isinstance(template, Graph) for node in template.nodes]
    problems = [problem for node in nodes for problem in _problems(node, capacity)]
    problems.extend(_name_problems(setup.name))
    if setup.executor not in EXECUTORS:
        problems.append(_unknown_executor("the settings", setup.executor))
    if problems:
        raise InvalidWorkflow(problems)


def _problems(node: Node, capacity: Capacity) -> Iterator[Problem]:
    if isinstance(node.executor, Const) and node.executor.value not in EXECUTORS:
        yield _unknown_executor(node.where, str(node.executor.value))
    if node.image is not None:
        fix = "leave `image` out: the local executor runs ops in this machine's own environment"
        yield Problem(where=node.where, what=f"{node.id} names an image, and the local executor has none", fix=fix)
    for name, value in node.policy.env.items():
        if isinstance(value, Secret):
            try:
                resolve_secret(value)
            except ConfigError as error:
                yield Problem(where=node.where, what=f"{node.id}: the value of {name} is not to be had: {error}")
    try:
        capacity.check(node.resources, node.id)
    except ConfigError as error:
        yield Problem(where=node.where, what=str(error))


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


def _unknown_executor(where: str, name: str) -> Problem:
    known = ", ".join(sorted(EXECUTORS))
    return Problem(
        where=where, what=f"unknown executor {name!r}", expected=f"one of: {known}", found=name, fix="correct the name"
    )
