"""The arguments of a run as trees, checked against the workflow's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sciflow.author.lift import Unencodable, encoded
from sciflow.author.verbs import Verbs
from sciflow.core.expr import Tree
from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.errors import InvalidInput, Problem


def encode_arguments(
    spec: WorkflowSpec, target: Verbs[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, where: str
) -> dict[str, Tree]:
    """The trees of a run's arguments by port.

    Raises:
        InvalidInput: every argument that is missing, misspelt, given twice, of a wrong type or not to be found.
    """
    entry = spec.templates[spec.entry]
    assert isinstance(entry, Graph)
    problems: list[Problem] = []
    given = {**dict(zip([p.name for p in entry.inputs], args, strict=False)), **kwargs}
    trees = {}
    for port in entry.inputs:
        if port.name in given:
            try:
                trees[port.name] = encoded(given[port.name], pickled=port.type.pickled)
            except Unencodable as error:
                problems.append(Problem(where=where, what=port.name, found=error.found, fix=error.fix))
    if problems:
        raise InvalidInput(problems)
    return trees
