"""What is known of a run before it begins: conditions, and values that rest on its inputs alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sciflow.core.evaluation import Absent, condition, evaluate
from sciflow.core.expr import Expr, Index, Input, Item, Output, Tree
from sciflow.core.graph import Graph
from sciflow.runner import codec
from sciflow.runner.failures import CodecError

LONGEST = 200  # characters of a text that is followed

Known: TypeAlias = Mapping[str, Tree]  # what is known of a graph's inputs
_NO_VALUE = (Absent, LookupError, TypeError, ArithmeticError, ValueError, AttributeError, CodecError)


class _UnknownError(LookupError):
    """An expression rests on what only the run finds out."""


class KnownScope:
    """See `core.evaluation.Scope`: of a graph of whose inputs something is known."""

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


def holds(when: Expr, scope: KnownScope) -> bool:
    """Whether a condition is surely true."""
    try:
        return condition(when, scope)
    except _NO_VALUE:
        return False


def value_of(expr: Expr, scope: KnownScope) -> list[Tree]:
    """The value of an expression; none if it is not known."""
    try:
        return [evaluate(expr, scope)]
    except _NO_VALUE:
        return []


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
