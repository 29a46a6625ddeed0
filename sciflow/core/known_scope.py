"""What expressions come to where no more than some inputs are known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sciflow.core.evaluation import Absent, condition, evaluate
from sciflow.core.expr import Expr, Index, Input, Item, Output, Tree
from sciflow.runner import codec
from sciflow.runner.failures import CodecError

Known: TypeAlias = Mapping[str, Tree]  # values of inputs, by port
_NO_VALUE = (Absent, LookupError, TypeError, ArithmeticError, ValueError, AttributeError, CodecError)


class _UnknownError(LookupError):
    """An expression rests on what is not known."""


class KnownScope:
    """See `evaluation.Scope`: inputs alone have values, and not all of them."""

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
