"""Which numbers Argo is told: those that the conditions and counts of a workflow rest on. Pure.

A pod tells them of the output of its task, a graph of its result, a caller of what it gives to a graph. Each is a
parameter of the template; it is `?` where the number cannot be told. So nothing has to be known of who will tell it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from sciflow.core.expr import Attr, Build, Const, Element, Expr, Tree
from sciflow.core.inference import STR, attribute_type, element_type
from sciflow.core.ports import Type
from sciflow.runner.telling import told

UNTOLD = "?"
DEEPEST = 4  # fields and indices of a path


class Number(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A part of a value of which a number is told: itself, or how long it is. Of a graph's inputs the port is first."""

    kind: Literal["int", "bool", "length"]
    path: tuple[str, ...] = ()  # fields, and indices in decimal

    @property
    def name(self) -> str:
        """The parameter's: no two have the same, since fields hold no hyphen."""
        return "-".join(["length" if self.kind == "length" else "value", *self.path])


def untold(parameters: Iterable[str], *, or_skipped: bool = False) -> list[str]:
    """Conditions any of which says that a parameter is no number."""
    found = []
    for name in sorted(parameters):
        skipped = or_skipped and name.startswith("tasks")
        found += [f"{name} == '{UNTOLD}'", *([f"{name} == ''"] if skipped else [])]
    return found


def constant_told(tree: Tree, kind: str, path: tuple[str, ...]) -> str | None:
    """What is told of a value that is known."""
    return told("", tree, kind, list(path))


def kind_of(type_: Type | None, path: tuple[str, ...], *, length: bool) -> Literal["int", "bool", "length"] | None:
    """What can be told of a part of a value of that type."""
    if len(path) > DEEPEST:
        return None
    for step in path:
        if type_ is None:
            return None
        type_ = _type_of_part(type_, step)
    match type_:
        case Type(name="list" | "dict") if length:
            return "length"
        case Type(name="int") if not length:
            return "int"
        case Type(name="bool") if not length:
            return "bool"
        case _:
            return None


def _type_of_part(of: Type, step: str) -> Type | None:
    if step.isdigit():
        return element_type(of, Type(name="int"), at=int(step))
    return element_type(of, STR, at=step) if of.name == "dict" else attribute_type(of, step)


def part_at(expr: Expr, path: tuple[str, ...]) -> Expr | None:
    """A part of a value; None if there is none such."""
    for step in path:
        match expr:
            case Build(kind="list" | "tuple", parts=parts) if step.isdigit() and int(step) < len(parts):
                expr = parts[int(step)]
            case Build(keys=keys, parts=parts) if step in keys:
                expr = parts[keys.index(step)]
            case Build() | Const():
                return None
            case _ if step.isdigit():
                expr = Element(of=expr, index=Const(value=int(step)))
            case _:
                expr = Attr(of=expr, name=step)
    return expr
