"""What expressions come to: Python's meaning of each.

No I/O: what a leaf stands for is asked of a `Scope`.
"""

from __future__ import annotations

import math
import operator
from typing import Protocol

from sciflow.core.expr import (
    OPERATORS,
    Attr,
    Build,
    Call,
    Const,
    Element,
    Expr,
    Index,
    Input,
    Item,
    Output,
    Text,
    Tree,
)


class Absent(Exception):
    """The expression rests on a node that was skipped."""


class Scope(Protocol):
    """What the leaves of an expression stand for in one run."""

    def leaf(self, expr: Input | Output | Item | Index) -> Tree:
        """The leaf's tree, with no stored value left folded at its top.

        Raises:
            Absent: the leaf is the output of a node that was skipped.
        """

    def unfold(self, tree: Tree) -> Tree:
        """The tree itself, where `tree` only says in which file it is stored."""

    def decode(self, tree: Tree) -> object:
        """The tree as a Python value, without the user's classes."""

    def encode(self, value: object) -> Tree:
        """The inverse of `decode`."""


def evaluate(expr: Expr, scope: Scope) -> Tree:
    """The tree that `expr` stands for.

    Raises:
        Absent: it rests on a skipped node.
        LookupError, TypeError, ArithmeticError, ValueError: as Python does for the operation.
    """
    match expr:
        case Const(value=value):
            return scope.unfold(value)
        case Input() | Output() | Item() | Index():
            return scope.leaf(expr)
        case Attr(of=of, name=name):
            return scope.unfold(_attribute(evaluate(of, scope), name))
        case Element(of=of, index=index):
            return _element(evaluate(of, scope), scope.decode(evaluate(index, scope)), scope)
        case Text(parts=parts):
            return "".join(p if isinstance(p, str) else str(scope.decode(evaluate(p, scope))) for p in parts)
        case Build():
            return _container(expr, [evaluate(p, scope) for p in expr.parts])
        case Call():
            return _call(expr, scope)


def _call(expr: Call, scope: Scope) -> Tree:
    match expr.function, expr.args:
        case "choose", (which_one, then, otherwise):
            return evaluate(then if condition(which_one, scope) else otherwise, scope)
        case ("and" | "or") as which, (left, right):
            tree = evaluate(left, scope)
            stops = bool(scope.decode(tree)) is (which == "or")
            return tree if stops else evaluate(right, scope)
        case function, args:
            values = [scope.decode(evaluate(a, scope)) for a in args]
            return scope.encode(OPERATORS[function].apply(*values))


def _container(expr: Build, trees: list[Tree]) -> Tree:
    match expr.kind:
        case "list":
            return trees
        case "tuple":
            return {"$": "tuple", "v": trees}
        case "dict" if "$" not in expr.keys:
            return dict(zip(expr.keys, trees, strict=True))
        case "dict":
            return {"$": "dict", "v": [list(pair) for pair in zip(expr.keys, trees, strict=True)]}
        case kind:
            fields = dict(zip(expr.keys, trees, strict=True))
            return {"$": "record", "type": expr.of, "kind": kind, "v": fields}


def _attribute(tree: Tree, name: str) -> Tree:
    match tree:
        case {"$": "record", "v": {**fields}} if name in fields:
            return fields[name]
        case dict() if "$" not in tree and name in tree:
            return tree[name]
        case _:
            raise AttributeError(f"no field {name!r} in {_short(tree)}")


def _element(tree: Tree, index: object, scope: Scope) -> Tree:
    match tree:
        case list() | {"$": "tuple", "v": list()}:
            items = tree if isinstance(tree, list) else tree["v"]
            return scope.unfold(items[operator.index(index)])  # type: ignore[arg-type]
        case {"$": "record", "kind": "namedtuple", "v": {**fields}}:
            return scope.unfold(list(fields.values())[operator.index(index)])  # type: ignore[arg-type]
        case dict() if "$" not in tree:
            return scope.unfold(tree[index])
        case _:
            return scope.encode(scope.decode(tree)[index])  # type: ignore[index]


def _short(tree: Tree) -> str:
    kind = tree.get("type", tree.get("$", "dict")) if isinstance(tree, dict) else type(tree).__name__
    return f"a value of type {kind}"


def condition(expr: Expr, scope: Scope) -> bool:
    """The truth of a `when`, or of the first operand of a `choose`.

    Raises:
        Absent: it rests on a skipped node.
        ValueError: it compares with NaN, or is NaN: neither branch would be right.
    """
    match expr:
        case Call(function="not", args=(of,)):
            return not condition(of, scope)
        case Call(function="and", args=(left, right)):
            return condition(left, scope) and condition(right, scope)
        case Call(function="or", args=(left, right)):
            return condition(left, scope) or condition(right, scope)
        case Call(function="lt" | "le" | "gt" | "ge" | "eq" | "ne" as function, args=(left, right)):
            values = [_number(evaluate(side, scope), scope) for side in (left, right)]
            return bool(OPERATORS[function].apply(*values))
        case _:
            return bool(_number(evaluate(expr, scope), scope))


def _number(tree: Tree, scope: Scope) -> object:
    value = scope.decode(tree)
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("a condition needs a number, and found NaN")
    return value
