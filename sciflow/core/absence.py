"""Which values may be absent because a node was skipped, and where that is provided for. Pure.

A node is known to have run where all of its own conditions are known to hold: under the same conditions, or in the
branch of a `choose` on one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sciflow.core.expr import Attr, Build, Call, Const, Element, Expr, Output, Text

Facts = tuple[Expr, ...]


def conjuncts(condition: Expr | None) -> Facts:
    """The conditions that must all hold for `condition` to hold."""
    facts: list[Expr] = []
    todo = [] if condition is None else [condition]
    while todo:
        match todo.pop():
            case Call(function="and", args=(left, right)):
                todo += [right, left]
            case Const(value=True):
                continue
            case other:
                facts.append(other)
    return tuple(facts)


def negation(condition: Expr) -> Expr:
    """The condition that holds where `condition` does not."""
    match condition:
        case Call(function="not", args=(inner,)):
            return inner
        case _:
            return Call(function="not", args=(condition,))


def absent(expr: Expr, conditions: Mapping[str, Facts], facts: Facts) -> str | None:
    """A node that `expr` rests on and that may have been skipped where `facts` hold; None if there is none."""
    match expr:
        case Output(node=node):
            needed = conditions.get(node, ())
            return node if needed and not all(_known(c, facts) for c in needed) else None
        case Attr(of=of):
            return absent(of, conditions, facts)
        case Element(of=of, index=index):
            return absent(of, conditions, facts) or absent(index, conditions, facts)
        case Text(parts=parts):
            return _first([p for p in parts if not isinstance(p, str)], conditions, facts)
        case Call(function="choose", args=(condition, then, otherwise)):
            return (
                absent(condition, conditions, facts)
                or absent(then, conditions, (*facts, *conjuncts(condition)))
                or absent(otherwise, conditions, (*facts, negation(condition)))
            )
        case Call(function="and", args=(left, right)):
            return absent(left, conditions, facts) or absent(right, conditions, (*facts, *conjuncts(left)))
        case Call(args=parts) | Build(parts=parts):
            return _first(list(parts), conditions, facts)
        case _:
            return None


def _first(parts: list[Expr], conditions: Mapping[str, Facts], facts: Facts) -> str | None:
    return next((found for p in parts if not isinstance(p, Const) and (found := absent(p, conditions, facts))), None)


def _known(condition: Expr, facts: Facts) -> bool:
    return any(condition is fact or condition == fact for fact in facts)
