"""What is known of a run before it begins: values that rest on its inputs alone. Pure."""

from __future__ import annotations

from sciflow.core.expr import Tree
from sciflow.core.graph import Graph
from sciflow.core.known_scope import Known

LONGEST = 200  # characters of a text that is followed


def defaults_of(graph: Graph) -> dict[str, Tree]:
    """Of its inputs."""
    return {port.name: port.default.value for port in graph.inputs if port.default is not None}


def scalars(trees: Known) -> Known:
    """Those of some values that are no more than a number or a word."""
    return {
        name: tree
        for name, tree in trees.items()
        if tree is None or isinstance(tree, int | float) or (isinstance(tree, str) and len(tree) <= LONGEST)
    }
