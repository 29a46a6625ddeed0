"""The type of every expression of a graph, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.expr import OPERATORS, Attr, Build, Call, Const, Element, Expr, Index, Input, Item, Output, Text
from sciflow.core.inference import (
    INT,
    STR,
    attribute_type,
    call_type,
    constant_type,
    element_type,
    union_of,
)
from sciflow.core.naming import meant, names
from sciflow.core.ports import ANY, NUMBERS, Type, accepts_none, list_of
from sciflow.core.spelling import spelled
from sciflow.errors import Problem

_WRITABLE = frozenset({*NUMBERS, "str", "any", "none", "literal"})  # what text may hold
_CONDITIONS = {"and": 2, "or": 2, "not": 1, "choose": 1}  # how many of its first operands have to be conditions
_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


class Checker(msgspec.Struct, kw_only=True):
    """Checks the expressions of one graph; what is wrong is added to `problems`."""

    inputs: Mapping[str, Type]
    outputs: dict[str, Type] = msgspec.field(default_factory=dict)
    items: Mapping[str, Type] | None = None  # of the fan whose node is being looked at
    where: str = ""
    problems: list[Problem] = msgspec.field(default_factory=list)

    def say(self, what: str, *, expected: str, found: str, fix: str) -> None:
        """Note a problem of the place that is being looked at."""
        problem = Problem(where=self.where, what=what, expected=expected, found=found, fix=fix)
        if problem not in self.problems[-8:]:
            self.problems.append(problem)

    def type_of(self, expr: Expr) -> Type:
        """The type of an expression; `Any` once something is wrong with it."""
        match expr:
            case Const(value=value):
                return constant_type(value)
            case Input(port=name):
                return self._leaf(name, self.inputs, "input of the workflow")
            case Output(node=name):
                return self._leaf(name, self.outputs, "node")
            case Item(port=name):
                return self._leaf(name, self.items or {}, "list of this fan")
            case Index():
                return INT
            case _:
                return self._compound(expr)

    def _compound(self, expr: Attr | Element | Text | Call | Build) -> Type:
        match expr:
            case Attr(of=of, name=name):
                return self._attribute(self.type_of(of), name, expr)
            case Element():
                return self._element(expr)
            case Text(holes=holes):
                return self._text(holes)
            case Call():
                return self._call(expr)
            case Build():
                return self._built(expr)

    def _leaf(self, name: str, known: Mapping[str, Type], what: str) -> Type:
        if name not in known:
            self.say(f"there is no {what} {name!r}", expected=names(known), found=name, fix=meant(name, known))
        return known.get(name, ANY)

    def _attribute(self, of: Type, name: str, expr: Attr) -> Type:
        found = attribute_type(of, name)
        if found is None:
            fields = of.fields if of.name == "object" else {}
            fix = meant(name, fields) if fields else _other_than_attribute(of)
            self.say(
                f"{spelled(expr.of)} has no field {name!r}",
                expected=names(fields) if fields else "a NamedTuple, dataclass or TypedDict",
                found=str(of),
                fix=fix,
            )
        return found or ANY

    def _element(self, expr: Element) -> Type:
        of, index = self.type_of(expr.of), self.type_of(expr.index)
        found = element_type(of, index, at=expr.index.value if isinstance(expr.index, Const) else None)
        if found is None:
            self.say(
                f"{spelled(expr)} cannot be",
                expected="an element that there is, of a list, tuple, text or dict",
                found=f"{of} indexed by {spelled(expr.index)}",
                fix="check the index, or the type of what is indexed",
            )
        return found or ANY

    def _text(self, parts: tuple[Expr, ...]) -> Type:
        for part in parts:
            type_ = self.type_of(part)
            if not all(m.name in _WRITABLE for m in type_.members):
                self.say(
                    f"text cannot hold {spelled(part)}",
                    expected="text, a number or a truth value",
                    found=str(type_),
                    fix="make the text inside an op",
                )
        return STR

    def _call(self, expr: Call) -> Type:
        args = tuple(map(self.type_of, expr.args))
        row = OPERATORS.get(expr.function)
        if row is None:
            self.say(
                f"there is no operator {expr.function!r}",
                expected=names(OPERATORS),
                found=expr.function,
                fix=meant(expr.function, OPERATORS),
            )
            return ANY
        low, high = (row.arity, row.arity) if isinstance(row.arity, int) else row.arity
        if not low <= len(args) <= high:
            number = f"{low} to {high}"
            what = f"{row.spelling} takes {number} values"
            self.say(what, expected=number, found=str(len(args)), fix="give as many")
            return ANY
        return self._applied(expr, args)

    def _applied(self, expr: Call, args: tuple[Type, ...]) -> Type:
        for condition, type_ in zip(expr.args[: _CONDITIONS.get(expr.function, 0)], args, strict=False):
            self.truth(condition, type_)
        if expr.function in _COMPARISONS:
            self._numbers(expr)
        found = call_type(expr.function, args)
        if found is None:
            self.say(
                f"{spelled(expr)} cannot be computed",
                expected=f"types for which Python has {OPERATORS[expr.function].spelling}",
                found=" and ".join(map(str, args)),
                fix="compute it inside an op",
            )
        return found or ANY

    def _numbers(self, expr: Call) -> None:
        for arg in expr.args:
            if isinstance(arg, Const) and arg.value == {"$": "float", "v": "nan"}:
                self.say(
                    f"{spelled(expr)} compares with NaN, which is never equal, less or greater",
                    expected="a number",
                    found="nan",
                    fix="test for NaN inside an op that returns bool",
                )

    def truth(self, expr: Expr, type_: Type) -> None:
        """A condition has to be true or false, not merely something with a truth value."""
        problem = truth_problem(expr, type_, self.where)
        if problem is not None:
            self.problems.append(problem)

    def _built(self, expr: Build) -> Type:
        parts = list(map(self.type_of, expr.parts))
        match expr.kind:
            case "list":
                return list_of(union_of(parts))
            case "tuple":
                return Type(name="tuple", args=tuple(parts))
            case "dict":
                return Type(name="dict", args=(STR, union_of(parts)))
            case kind:
                return Type(name="object", of=expr.of, kind=kind, fields=dict(zip(expr.keys, parts, strict=True)))


def truth_problem(expr: Expr, type_: Type, where: str) -> Problem | None:
    """What is wrong with `expr`, which is of `type_`, as a condition."""
    if type_.name in {"bool", "any"} or type_.of in {"numpy:bool", "numpy:bool_"}:
        return None
    text = spelled(expr)
    fix = _as_condition(text, type_)
    return Problem(where=where, what=f"{text} is no condition", expected="bool", found=str(type_), fix=fix)


def _other_than_attribute(of: Type) -> str:
    if of.name == "union" and accepts_none(of):
        return "it may be None: look at it inside an op"
    return "methods and other attributes are known only while running: use them inside an op"


def _as_condition(text: str, type_: Type) -> str:
    if type_.name in {"list", "dict", "str", "tuple", "set", "frozenset"}:
        return f"write length({text}) > 0"
    if type_.name in NUMBERS:
        return f"compare it: {text} != 0"
    return f"compare it: {text} != None"
