"""How deep the workflows of a run call each other, as far as its inputs tell. Pure.

Followed is what certainly runs: nodes without a condition, and those whose condition holds whatever else the run finds
out. Of fans nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sciflow.core.evaluation import Absent, condition, evaluate
from sciflow.core.expr import Expr, Index, Input, Item, Output, Tree
from sciflow.core.graph import Graph, Node, WorkflowSpec
from sciflow.runner import codec
from sciflow.runner.failures import CodecError

LONGEST = 200  # characters of a text that is followed
MANY = 1000  # graphs at work on one level: no more is found out

Known: TypeAlias = Mapping[str, Tree]  # what is known of a graph's inputs
_NO_VALUE = (Absent, LookupError, TypeError, ArithmeticError, ValueError, AttributeError, CodecError)


class _UnknownError(LookupError):
    """An expression rests on what only the run finds out."""


class _Scope:
    """See `core.evaluation.Scope`."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def leaf(self, expr: Input | Output | Item | Index) -> Tree:
        """See `Scope`."""
        if isinstance(expr, Input) and expr.port in self._known:
            return self._known[expr.port]
        raise _UnknownError

    def unfold(self, tree: Tree) -> Tree:
        """See `Scope`."""
        return tree

    def decode(self, tree: Tree) -> object:
        """See `Scope`."""
        return codec.decode(tree)

    def encode(self, value: object) -> Tree:
        """See `Scope`."""
        return codec.encode(value)


def deeper_than(most: int, spec: WorkflowSpec, inputs: Known) -> Node | None:
    """The node by which a run with these inputs gets deeper than so many levels; None if it does not, or may not."""
    entry = spec.templates[spec.entry]
    level: dict[str, tuple[str, Known, Node | None]] = {}
    if isinstance(entry, Graph):
        level[""] = (spec.entry, _scalars(_defaults(entry) | dict(inputs)), None)
    for _ in range(most):
        level = {
            f"{node.template} {sorted(known.items())!r}": (node.template, known, node)
            for template, outer, _ in level.values()
            for node, known in _calls(spec, template, outer)
        }
        if not level or len(level) > MANY:
            return None
    return next(iter(level.values()))[2] if level else None


def _calls(spec: WorkflowSpec, template: str, known: Known) -> Iterator[tuple[Node, Known]]:
    """The nodes of a graph that certainly run a graph, each with what is known of its inputs."""
    graph, scope = spec.templates[template], _Scope(known)
    assert isinstance(graph, Graph)
    for node in graph.nodes:
        inner = spec.templates[node.template]
        if isinstance(inner, Graph) and node.fan is None and (node.when is None or _holds(node.when, scope)):
            given = {port: tree for port, expr in node.inputs.items() for tree in _value(expr, scope)}
            defaults = {port: tree for port, tree in _defaults(inner).items() if port not in node.inputs}
            yield node, _scalars(defaults | given)


def _holds(when: Expr, scope: _Scope) -> bool:
    try:
        return condition(when, scope)
    except _NO_VALUE:
        return False


def _value(expr: Expr, scope: _Scope) -> list[Tree]:
    """The value of an expression; none if it is not known."""
    try:
        return [evaluate(expr, scope)]
    except _NO_VALUE:
        return []


def _defaults(graph: Graph) -> dict[str, Tree]:
    return {port.name: port.default.value for port in graph.inputs if port.default is not None}


def _scalars(trees: Known) -> Known:
    return {
        name: tree
        for name, tree in trees.items()
        if tree is None or isinstance(tree, int | float) or (isinstance(tree, str) and len(tree) <= LONGEST)
    }
