"""Expressions: where a value comes from, as data.

Every place of a graph that takes a value takes an `Expr`, a closed union. A value is a *tree*: JSON with the
codec's tags (see `sciflow.runner.codec`), so a graph can be stored, sent and read without the user's classes.
What an expression comes to is told by `sciflow.core.evaluation`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, TypeAlias

import msgspec

from sciflow.core import json_texts

Tree: TypeAlias = Any  # JSON: None, bool, int, float, str, list[Tree], dict[str, Tree]


class Const(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="const"):
    """A value known when the workflow was written, as a tree."""

    value: Tree


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="input"):
    """An input port of the graph that the node stands in."""

    port: str


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="output"):
    """All that a node of the same graph gives back; of a fan, the list of its slices' outputs in order."""

    node: str


class Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="item"):
    """Inside a fan's node: the element that this slice takes for a port."""

    port: str


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="index"):
    """Inside a fan's node: the number of this slice, from 0."""


class Attr(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="attr"):
    """A field of a NamedTuple, dataclass or TypedDict."""

    of: Expr
    name: str


class Element(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="element"):
    """`of[index]` of a list, tuple, text or dict."""

    of: Expr
    index: Expr


class Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="text"):
    """Text with holes: the parts put together, a value as `str()` writes it."""

    parts: tuple[str | Expr, ...]

    @property
    def holes(self) -> tuple[Expr, ...]:
        """The parts that are not text."""
        return tuple(p for p in self.parts if not isinstance(p, str))


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="call"):
    """An operator or function of `OPERATORS`, applied."""

    function: str
    args: tuple[Expr, ...]


class Build(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="build"):
    """A container put together from parts that are not all known when the workflow is written.

    `keys` names the parts of a dict or record; `of` is the record's class, "module:Qualname".
    """

    kind: Literal["list", "tuple", "dict", "namedtuple", "dataclass"]
    parts: tuple[Expr, ...]
    keys: tuple[str, ...] = ()
    of: str = ""


Expr: TypeAlias = Const | Input | Output | Item | Index | Attr | Element | Text | Call | Build

BROKEN = Const(value={"$": "broken"})  # in a workflow that is being checked: a value whose problem has been told


class Argo(Enum):
    """How an operator fares in an Argo expression."""

    EXACT = "exact"  # Argo's expression language means the same, for the types that the operator takes
    BOUNDED = "bounded"  # the same, for integers that cannot come to 2**63: the back end sees to that
    RUNNER = "runner"  # Argo differs from Python somewhere: the runner computes it, in a pod


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table: `apply` takes decoded values, except for the lazy ones (`choose`, `and`, `or`)."""

    arity: int | tuple[int, int]
    apply: Callable[..., object]
    argo: Argo
    spelling: str  # as Python writes it, for people


def _row(
    arity: int | tuple[int, int],
    apply: Callable[..., object],
    spelling: str,
    *,
    exact: bool = False,
    bounded: bool = False,
) -> Operator:
    argo = Argo.EXACT if exact else Argo.BOUNDED if bounded else Argo.RUNNER
    return Operator(arity=arity, apply=apply, argo=argo, spelling=spelling)


# Python's meaning. EXACT holds for integers below 2**63, floats, text and booleans of one type on both sides;
# the back end checks the types, and takes RUNNER for all others. Why a row is BOUNDED: `+ - *` wrap silently at 2**63,
# `//` goes through float64, `%` takes the sign of the dividend, a list of numbers is never made, only counted. Why it
# is RUNNER: `/` and `**` go through float64, `round` is not banker's, text of a float is spelled differently, `in`
# means another thing for text.
OPERATORS: Mapping[str, Operator] = {
    "eq": _row(2, operator.eq, "a == b", exact=True),
    "ne": _row(2, operator.ne, "a != b", exact=True),
    "lt": _row(2, operator.lt, "a < b", exact=True),
    "le": _row(2, operator.le, "a <= b", exact=True),
    "gt": _row(2, operator.gt, "a > b", exact=True),
    "ge": _row(2, operator.ge, "a >= b", exact=True),
    "and": _row(2, lambda a, b: a and b, "a & b", exact=True),
    "or": _row(2, lambda a, b: a or b, "a | b", exact=True),
    "not": _row(1, operator.not_, "not_(a)", exact=True),
    "choose": _row(3, lambda c, a, b: a if c else b, "choose(c, a, b)", exact=True),
    "len": _row(1, len, "length(a)", exact=True),
    "add": _row(2, operator.add, "a + b", bounded=True),
    "sub": _row(2, operator.sub, "a - b", bounded=True),
    "mul": _row(2, operator.mul, "a * b", bounded=True),
    "truediv": _row(2, operator.truediv, "a / b"),
    "floordiv": _row(2, operator.floordiv, "a // b", bounded=True),
    "mod": _row(2, operator.mod, "a % b", bounded=True),
    "pow": _row(2, operator.pow, "a ** b"),
    "neg": _row(1, operator.neg, "-a", bounded=True),
    "abs": _row(1, abs, "abs(a)", bounded=True),
    "round": _row((1, 2), round, "round(a, n)"),
    "contains": _row(2, operator.contains, "contains(a, b)"),
    "range": _row((1, 3), lambda *a: list(range(*a)), "sequence(start, stop, step)", bounded=True),
    "plain": _row(1, json_texts.plain, "plain(a)"),
    "plains": _row(1, json_texts.plains, "plains(a)"),
    "scalar": _row(1, json_texts.scalar, "scalar(a)"),
    "json_list": _row(1, json_texts.json_list, "json_list(a)"),
    "json_of": _row(1, json_texts.json_of, "json_of(a)"),
    "json_of_texts": _row(1, json_texts.json_of_texts, "json_of_texts(a)"),
    "json_of_results": _row(1, json_texts.json_of_results, "json_of_results(a)"),
    "pick": _row(2, json_texts.pick, "pick(a, name)"),
    "present": _row(1, json_texts.present, "present(a)"),
    "refuse": _row(1, json_texts.refuse, "refuse(a)"),
}


def parts_of(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that `expr` is directly made of; none of a leaf."""
    match expr:
        case Attr(of=of):
            return (of,)
        case Element(of=of, index=index):
            return (of, index)
        case Text():
            return expr.holes
        case Call(args=parts) | Build(parts=parts):
            return parts
        case _:
            return ()


def leaves(expr: Expr) -> list[Input | Output | Item | Index]:
    """Every leaf of `expr` that is not a constant."""
    match expr:
        case Const():
            return []
        case Input() | Output() | Item() | Index():
            return [expr]
        case _:
            return [leaf for part in parts_of(expr) for leaf in leaves(part)]
