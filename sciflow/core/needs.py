"""What a node waits for. Pure."""

from __future__ import annotations

from sciflow.core.expr import Expr, Output, leaves
from sciflow.core.graph import Node


def expressions(node: Node) -> list[Expr]:
    """Every expression of a node."""
    fan = [] if node.fan is None else list(node.fan.over.values())
    single = [e for e in (node.when, node.key, node.executor, node.image) if e is not None]
    return [*node.inputs.values(), *fan, *single]


def needed_nodes(node: Node) -> set[str]:
    """The ids of the nodes that must have ended before this one can begin."""
    used = {leaf.node for e in expressions(node) for leaf in leaves(e) if isinstance(leaf, Output)}
    return used | set(node.after)
