"""The type of every expression of a graph, and whether it fits where it goes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sciflow.core.conform import misfit
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
from sciflow.core.ports import ANY, NUMBERS, Type, accepts_none, fits, list_of
from sciflow.core.spelling import spelled
from sciflow.errors import Problem

_WRITABLE = frozenset({*NUMBERS, "str", "any", "none", "literal"})  # what text may hold


@dataclass(kw_only=True)
class Checker:
    """Checks the expressions of one graph; what is wrong is added to `problems`."""

    inputs: Mapping[str, Type]
    outputs: dict[str, Type] = field(default_factory=dict)
    items: Mapping[str, Type] | None = None  # of the fan whose node is being looked at
    where: str = ""
    problems: list[Problem] = field(default_factory=list)

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
            case Attr(of=of, name=name):
                return self._attribute(self.type_of(of), name, expr)
            case Element():
                return self._element(expr)
            case Text(parts=parts):
                return self._text([p for p in parts if not isinstance(p, str)])
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

    def _text(self, parts: list[Expr]) -> Type:
        for part in parts:
            type_ = self.type_of(part)
            if not all(m.name in _WRITABLE for m in (type_.args if type_.name == "union" else (type_,))):
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
            self.say(
                f"{row.spelling} takes {low} to {high} values",
                expected=f"{low} to {high}",
                found=str(len(args)),
                fix="give as many",
            )
            return ANY
        if expr.function in {"and", "or", "not", "choose"}:
            self.truth(expr.args[0], args[0])
            if expr.function in {"and", "or"}:
                self.truth(expr.args[1], args[1])
        if expr.function in {"lt", "le", "gt", "ge", "eq", "ne"}:
            self._numbers(expr)
        found = call_type(expr.function, args)
        if found is None:
            self.say(
                f"{spelled(expr)} cannot be computed",
                expected=f"types for which Python has {row.spelling}",
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
        if type_.name not in {"bool", "any"}:
            self.say(
                f"{spelled(expr)} is no condition",
                expected="bool",
                found=str(type_),
                fix=_as_condition(spelled(expr), type_),
            )

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

    def fit(self, expr: Expr, expected: Type, *, what: str, node: str = "", port: str = "") -> None:
        """Note what keeps `expr` from going to a place of type `expected`; `what` names the place."""
        match expr:
            case Const(value=value):
                self._fit_constant(value, expected, what, node, port)
            case Call(function="choose", args=(condition, *branches)):
                self.truth(condition, self.type_of(condition))
                for branch in branches:
                    self.fit(branch, expected, what=what, node=node, port=port)
            case Build() if self._fit_parts(expr, expected, what):
                return
            case _:
                found = self.type_of(expr)
                if not fits(found, expected):
                    self.say(
                        f"{what} does not fit",
                        expected=str(expected),
                        found=f"{spelled(expr)}: {found}",
                        fix=remedy(found, expected, node, port),
                    )

    def _fit_constant(self, value: object, expected: Type, what: str, node: str, port: str) -> None:
        wrong = misfit(value, expected)
        if wrong is None:
            return
        fix = remedy(constant_type(value), expected, node, port)
        self.say(f"{what}{wrong.at} does not fit", expected=str(wrong.expected), found=wrong.found, fix=fix)

    def _fit_parts(self, expr: Build, expected: Type, what: str) -> bool:
        """Check a container part by part, so that the part that is wrong can be named; False: not that simple."""
        match expr.kind, expected.name:
            case "list", "list":
                types = expected.args * len(expr.parts)
                steps = [f"[{i}]" for i in range(len(expr.parts))]
            case "dict", "dict":
                types = expected.args[1:] * len(expr.parts)
                steps = [f"[{key!r}]" for key in expr.keys]
            case (("namedtuple" | "dataclass"), "object") if expr.of == expected.of:
                types = tuple(expected.fields.get(key, ANY) for key in expr.keys)
                steps = [f".{key}" for key in expr.keys]
            case "dict", "object" if expected.kind == "typeddict" and set(expr.keys) == set(expected.fields):
                types = tuple(expected.fields[key] for key in expr.keys)
                steps = [f"[{key!r}]" for key in expr.keys]
            case _:
                return False
        for part, type_, step in zip(expr.parts, types, steps, strict=False):
            self.fit(part, type_, what=what + step)
        return True


def remedy(found: Type, expected: Type, node: str, port: str) -> str:
    """What to do about a value of type `found` where `expected` is asked for."""
    call = node or "the op"
    if found.name == "list" and expected.name != "list" and found.args and fits(found.args[0], expected) and port:
        return f"call it once per element: {call}.map({port}=...)"
    if expected.name == "list" and expected.args and fits(found, expected.args[0]):
        return "put it into a list: [...]"
    if (
        found.name == "union"
        and accepts_none(found)
        and not accepts_none(expected)
        and fits(Type(name="union", args=tuple(m for m in found.args if m.name != "none")), expected)
    ):
        return f"it may be None: annotate {port or 'the place'} as {expected} | None"
    if accepts_none(found) and found.name == "list" and expected.name == "list":
        return _list_remedy(found, expected, port)
    if found.name == "list" and expected.name == "list":
        return _list_remedy(found, expected, port)
    if port:
        return f"pass a {expected}, or annotate {port} of {call} as {found}"
    return f"give a {expected}, or annotate it as {found}"


def _list_remedy(found: Type, expected: Type, port: str) -> str:
    inner_found, inner = found.args[0], expected.args[0]
    if accepts_none(inner_found) and not accepts_none(inner) and inner_found.name == "union":
        return f"slices that failed leave None in their place: annotate {port or 'it'} as list[{inner} | None]"
    return f"convert the elements, or annotate {port or 'it'} as {found}"


def names(known: Iterable[str]) -> str:
    """A list of names for a message."""
    listed = list(known)
    more = f", … ({len(listed)})" if len(listed) > 12 else ""
    return ", ".join(listed[:12]) + more if listed else "none"


def meant(name: str, known: Iterable[str]) -> str:
    """A did-you-mean."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else "leave it out, or name one that there is"


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
