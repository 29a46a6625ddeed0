"""Expressions in Argo's own language: those that mean there what they mean in Python. Pure.

What an operator is spelled like is in the table that evaluates it; of its rows are printed those that are EXACT, and
those that are BOUNDED where no value can leave the range in which Argo reckons as Python does. Leaves are numbers that
a pod or a caller tells (see `told`), as text. Where one cannot be told, since it is too large for Argo, no plain number
or not there, its text is `?`: whoever uses an expression asks for this first, of all of `Printed.rests_on`, and has
a pod find out what it comes to. Of a node that was skipped the text is empty. Argo looks at what stands behind `and`
and `or`, and in the branches of a `choose`, as late as Python does.

Texts and floats of users are never told, so nothing is printed that compares them; a float may be a constant.
"""

from __future__ import annotations

import math
import re
from typing import Literal, Protocol

import msgspec

from sciflow.core.expr import OPERATORS, Argo, Attr, Build, Call, Const, Element, Expr, Input, Output, Tree
from sciflow.runner.telling import LENGTHS_BELOW, NUMBERS_BELOW

INT64 = 2**63 - 1
LONGEST = 4000  # characters; a longer expression is nothing for people, nor for the object that holds it

Kind = Literal["int", "bool", "length"]


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """An expression of Argo."""

    text: str
    kind: Literal["int", "bool", "float"]
    most: int = 1  # an int's magnitude
    rests_on: frozenset[str] = frozenset()  # parameters

    @property
    def constant(self) -> int | None:
        """What an int from 0 comes to wherever it stands, if that is known."""
        return int(self.text) if self.kind == "int" and self.text.isdigit() else None

    def joined(self, text: str, *others: Printed, kind: Literal["int", "bool", "float"], most: int = 1) -> Printed:
        """Another one, made of this one and others."""
        rests_on = self.rests_on.union(*(other.rests_on for other in others))
        return Printed(text=text, kind=kind, most=most, rests_on=rests_on)


class Leaves(Protocol):
    """What the leaves of expressions are called in one graph."""

    def told(self, expr: Input | Output, path: tuple[str, ...], *, length: bool) -> Printed | None:
        """A part of what a leaf stands for, or how long that is; None if nobody tells it."""

    def slices(self, node: str) -> Printed | None:
        """How many slices the fan of a node has; None if it is no fan, or that cannot be printed."""


class Printer:
    """Prints what stands in one graph."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves

    # --- what is asked

    def value(self, expr: Expr) -> Printed | None:
        """A number or a truth value; None if Argo cannot say it exactly."""
        match expr:
            case Const(value=value):
                return constant(value)
            case Call(function="len", args=(of,)):
                return self.length(of)
            case Call():
                return _short(self._call(expr))
            case _:
                return self._leaf(expr, length=False)

    def length(self, expr: Expr) -> Printed | None:
        """How many elements a list or dict has."""
        match expr:
            case Const(value=list(items)) | Const(value={"$": "tuple", "v": list(items)}):
                return whole(len(items))
            case Const(value=dict(items)) if "$" not in items:
                return whole(len(items))
            case Build(kind="list" | "tuple" | "dict", parts=parts):
                return whole(len(parts))
            case Call(function="range", args=args):
                return self._length_of_range(args)
            case Call(function="choose", args=(which, then, otherwise)):
                return _short(_choose(self.value(which), self.length(then), self.length(otherwise)))
            case Output(node=node) if (slices := self._leaves.slices(node)) is not None:
                return slices
            case _:
                return self._leaf(expr, length=True)

    def _length_of_range(self, args: tuple[Expr, ...]) -> Printed | None:
        match [self.value(arg) for arg in args]:
            case [Printed(kind="int") as stop]:
                if stop.constant is not None or stop.text.startswith("(-"):
                    return whole(max(0, stop.constant or 0))
                return msgspec.structs.replace(stop, text=f"max({stop.text}, 0)")
            case _:
                return None

    def _leaf(self, expr: Expr, *, length: bool) -> Printed | None:
        path: list[str] = []
        while isinstance(expr, (Attr, Element)):
            step = expr.name if isinstance(expr, Attr) else _step(expr.index)
            if step is None:
                return None
            path.insert(0, step)
            expr = expr.of
        return self._leaves.told(expr, tuple(path), length=length) if isinstance(expr, (Input, Output)) else None

    # --- operators

    def _call(self, expr: Call) -> Printed | None:
        args = [self.value(arg) for arg in expr.args]
        exact = OPERATORS[expr.function].argo is not Argo.RUNNER
        if not exact or any(arg is None for arg in args):
            return None
        operands = [arg for arg in args if arg is not None]
        match expr.function, operands:
            case "choose", (which, then, otherwise):
                return _choose(which, then, otherwise)
            case "and", (left, right):
                return _junction(left, right, stops_if=False)
            case "or", (left, right):
                return _junction(left, right, stops_if=True)
            case "not", (of,):
                return msgspec.structs.replace(truth(of), text=f"!{truth(of).text}")
            case ("eq" | "ne" | "lt" | "le" | "gt" | "ge") as function, (left, right):
                return _comparison(function, left, right)
            case function, (left, right):
                return _arithmetic(function, number(left), number(right))
            case function, (of,):
                return _of_one(function, number(of))
            case _:
                return None


# --- constants


def constant(tree: Tree) -> Printed | None:
    """A number that is written into the graph."""
    match tree:
        case bool():
            return Printed(text="true" if tree else "false", kind="bool")
        case int():
            return whole(tree) if abs(tree) <= INT64 else None
        case float() if math.isfinite(tree) and re.fullmatch(r"-?\d+\.\d+", repr(tree)):
            return Printed(text=f"({tree!r})" if repr(tree)[0] == "-" else repr(tree), kind="float")
        case _:
            return None


def whole(value: int) -> Printed:
    """An integer."""
    return Printed(text=str(value) if value >= 0 else f"({value})", kind="int", most=abs(value))


# --- one kind as another


def number(of: Printed) -> Printed:
    """A truth value as Python reckons with it."""
    return msgspec.structs.replace(of, text=f"({of.text} ? 1 : 0)", kind="int", most=1) if of.kind == "bool" else of


def truth(of: Printed) -> Printed:
    """A number as a condition."""
    return of if of.kind == "bool" else msgspec.structs.replace(of, text=f"({of.text} != 0)", kind="bool")


def leaf(text: str, kind: Kind) -> Printed:
    """What stands in a parameter."""
    if kind == "bool":
        return Printed(text=f"({text} == 'true')", kind="bool", rests_on=frozenset({text}))
    most = (LENGTHS_BELOW if kind == "length" else NUMBERS_BELOW) - 1
    return Printed(text=f"int({text})", kind="int", most=most, rests_on=frozenset({text}))


# --- operators


def _comparison(function: str, left: Printed, right: Printed) -> Printed | None:
    """Numbers alone: Argo neither orders truth values, nor is one of them equal to a number."""
    sides = number(left), number(right)
    if {side.kind for side in sides} == {"int", "float"} and max(_most(side) for side in sides) >= NUMBERS_BELOW:
        return None
    symbol = OPERATORS[function].spelling.split()[1]
    return left.joined(f"({sides[0].text} {symbol} {sides[1].text})", right, kind="bool")


def _arithmetic(function: str, left: Printed, right: Printed) -> Printed | None:
    if left.kind == "float" or right.kind == "float":
        return None
    a, b, most, by = left.text, right.text, _most(left), right.most
    constant_right = right.most > 0 and not right.rests_on and re.fullmatch(r"\d+|\(-\d+\)", b) is not None
    match function:
        case "add" | "sub":
            text, most = f"({a} {'+' if function == 'add' else '-'} {b})", most + by
        case "mul":
            text, most = f"({a} * {b})", most * by
        case "floordiv" if constant_right and most < NUMBERS_BELOW:
            text = f"int(floor({a} / {b}))"  # of two such integers no quotient is rounded to the next whole number
        case "mod" if constant_right and by <= INT64 // 2:
            text, most = f"((({a} % {b}) + {b}) % {b})", by
        case _:
            return None
    return left.joined(text, right, kind="int", most=most) if most <= INT64 else None


def _of_one(function: str, of: Printed) -> Printed | None:
    if of.kind == "float":
        return None
    match function:
        case "neg":
            return msgspec.structs.replace(of, text=f"(-{of.text})")
        case "abs":
            return msgspec.structs.replace(of, text=f"abs({of.text})")
        case _:
            return None


def _choose(which: Printed | None, then: Printed | None, otherwise: Printed | None) -> Printed | None:
    if which is None or then is None or otherwise is None:
        return None
    if then.kind != otherwise.kind:
        then, otherwise = number(then), number(otherwise)
    if then.kind != otherwise.kind:
        return None
    text = f"({truth(which).text} ? {then.text} : {otherwise.text})"
    return which.joined(text, then, otherwise, kind=then.kind, most=max(then.most, otherwise.most))


def _junction(left: Printed, right: Printed, *, stops_if: bool) -> Printed | None:
    """`and` and `or`: the first operand where it decides, else the second, as in Python."""
    if left.kind == right.kind == "bool":
        return left.joined(f"({left.text} {'||' if stops_if else '&&'} {right.text})", right, kind="bool")
    return _choose(left, left, right) if stops_if else _choose(left, right, left)


def _most(of: Printed) -> int:
    return math.ceil(abs(float(of.text.strip("()")))) if of.kind == "float" else of.most


def _step(index: Expr) -> str | None:
    match index:
        case Const(value=int(at)) if not isinstance(index.value, bool) and at >= 0:
            return str(at)
        case Const(value=str(key)) if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII):
            return key
        case _:
            return None


def _short(found: Printed | None) -> Printed | None:
    return found if found is None or len(found.text) <= LONGEST else None
