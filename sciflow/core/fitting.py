"""Whether what goes to a place of a graph fits its type, and what to do where it does not."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.checking import Checker
from sciflow.core.conform import misfit
from sciflow.core.expr import Build, Call, Const, Expr, Tree
from sciflow.core.inference import constant_type
from sciflow.core.naming import with_article
from sciflow.core.ports import ANY, NUMBERS, Type, accepts_none, fits
from sciflow.core.spelling import spelled


class Place(msgspec.Struct, frozen=True):
    """Where a value goes: an input of a template, element by element in a fan, or a graph's result (no template)."""

    name: str
    of: str
    template: str = ""
    fan: bool = False
    at: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.at} of {self.of}{'.map(...)' if self.fan else ''}"

    @property
    def annotated(self) -> str:
        """What the user would annotate otherwise."""
        return f"{self.name} of {self.template}" if self.template else "it"


def fit(expr: Expr, expected: Type, place: Place, checker: Checker) -> None:
    """Note what keeps `expr` from going to `place`, which takes `expected`."""
    match expr:
        case Const(value=value):
            _fit_constant(value, expected, place, checker)
        case Call(function="choose", args=(condition, *branches)):
            checker.truth(condition, checker.type_of(condition))
            for branch in branches:
                fit(branch, expected, place, checker)
        case Build() if (parts := _parts(expr, expected)) is not None:
            for part, type_, step in parts:
                fit(part, type_, msgspec.structs.replace(place, at=place.at + step), checker)
        case _:
            found = checker.type_of(expr)
            if not fits(found, expected):
                what = f"{place} does not fit"
                told = f"{spelled(expr)}: {found}"
                checker.say(what, expected=str(expected), found=told, fix=remedy(found, expected, place))


def _fit_constant(value: Tree, expected: Type, place: Place, checker: Checker) -> None:
    wrong = misfit(value, expected)
    if wrong is not None:
        fix = f"did you mean {wrong.near!r}?" if wrong.near else remedy(constant_type(value), expected, place)
        what = f"{msgspec.structs.replace(place, at=place.at + wrong.at)} does not fit"
        checker.say(what, expected=str(wrong.expected), found=wrong.found, fix=fix)


def _parts(expr: Build, expected: Type) -> list[tuple[Expr, Type, str]] | None:
    """The parts of a container with their own types and places, so that the one that is wrong can be named."""
    match expr.kind, expected.name:
        case "list", "list":
            return [(part, expected.item, f"[{i}]") for i, part in enumerate(expr.parts)]
        case "dict", "dict":
            return _named(expr, dict.fromkeys(expr.keys, expected.entry[1]), "[{!r}]")
        case (("namedtuple" | "dataclass"), "object") if expr.of == expected.of:
            return _named(expr, expected.fields, ".{}")
        case "dict", "object" if expected.kind == "typeddict" and expected.fields.keys() == set(expr.keys):
            return _named(expr, expected.fields, "[{!r}]")
        case _:
            return None


def _named(expr: Build, types: Mapping[str, Type], step: str) -> list[tuple[Expr, Type, str]]:
    return [(p, types.get(k, ANY), step.format(k)) for k, p in zip(expr.keys, expr.parts, strict=True)]


def remedy(found: Type, expected: Type, place: Place) -> str:
    """What to do about a value of type `found` where `expected` is asked for."""
    about_lists = _about_lists(found, expected, place)
    if about_lists:
        return about_lists
    if _only_none_is_wrong(found, expected):
        return f"it may be None: annotate {place.annotated} as {expected} | None"
    if expected.name == "path" and found.name == "str":
        return "pass Path(...)"
    if found.of.startswith("numpy:") and expected.name in {*NUMBERS, "str", "bytes"}:
        return f"convert it: {expected}(...)"
    return f"{'pass' if place.template else 'give'} {with_article(expected)}, or annotate {place.annotated} as {found}"


def _about_lists(found: Type, expected: Type, place: Place) -> str:
    """What to do if it is a matter of lists and their elements; empty if not."""
    match found, expected:
        case Type(name="list", args=(inner,)), Type(name="list", args=(wanted,)):
            nested = place.fan and inner.name == "list"
            return _one_by_one(wanted, place) if nested else _other_elements(inner, wanted, place)
        case Type(name="list", args=(inner,)), _ if fits(inner, expected):
            return _one_by_one(expected, place)
        case _, Type(name="list", args=(wanted,)) if fits(found, wanted):
            return "put it into a list: [...]"
        case _:
            return ""


def _one_by_one(expected: Type, place: Place) -> str:
    if place.fan:
        return f"each call takes one {expected}: flatten the lists, or map a workflow that itself maps {place.template}"
    if place.template:
        return f"call it once per element: {place.template}.map({place.name}=...)"
    return f"give one element, or annotate it as list[{expected}]"


def _other_elements(found: Type, expected: Type, place: Place) -> str:
    if _only_none_is_wrong(found, expected):
        return f"failed slices leave None in their place: annotate {place.annotated} as list[{expected} | None]"
    return f"convert the elements, or annotate {place.annotated} as {found if place.fan else f'list[{found}]'}"


def _only_none_is_wrong(found: Type, expected: Type) -> bool:
    if found.name != "union" or not accepts_none(found) or accepts_none(expected):
        return False
    return all(fits(member, expected) for member in found.args if member.name != "none")
