"""Which values may be absent because a node was skipped, and where that is provided for. Pure.

A node is known to have run where all of its own conditions are known to hold: under the same conditions, or in the
branch of a `choose` on one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.checking import Checker
from sciflow.core.expr import Call, Const, Expr, Output, parts_of
from sciflow.core.spelling import spelled

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
            return None if all(_known(c, facts) for c in needed) else node
        case Call(function="choose", args=(condition, then, otherwise)):
            branches = [(condition, facts), (then, (*facts, *conjuncts(condition)))]
            return _first([*branches, (otherwise, (*facts, negation(condition)))], conditions)
        case Call(function="and", args=(left, right)):
            return _first([(left, facts), (right, (*facts, *conjuncts(left)))], conditions)
        case _:
            return _first([(part, facts) for part in parts_of(expr)], conditions)


def _first(parts: list[tuple[Expr, Facts]], conditions: Mapping[str, Facts]) -> str | None:
    return next((found for part, facts in parts if (found := absent(part, conditions, facts))), None)


def _known(condition: Expr, facts: Facts) -> bool:
    return any(condition is fact or condition == fact for fact in facts)


class Absences(msgspec.Struct, frozen=True):
    """What may be absent in one graph: the conditions of its nodes, by id."""

    conditions: Mapping[str, Facts]
    checker: Checker

    def check(self, expr: Expr, facts: Facts, what: str, fix: str) -> None:
        """Note that `what` rests on a node that may have been skipped where `facts` hold."""
        source = absent(expr, self.conditions, facts) if self.conditions else None
        if source is None:
            return
        condition = " and ".join(spelled(c) for c in self.conditions[source])
        self.checker.say(
            f"{what} rests on {source}, which is skipped unless {condition}",
            expected="a value that is there in any case",
            found=f"the output of {source}, conditional",
            fix=fix.format(source=source),
        )
