"""What can be wrong with a fan: what it runs over, and how many slices have to succeed. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sciflow.core.absence import Absences, Facts
from sciflow.core.checking import Checker
from sciflow.core.expr import Build, Call, Const, Expr, Tree
from sciflow.core.fitting import Place, fit, remedy
from sciflow.core.graph import Fan, Node
from sciflow.core.inference import item_type
from sciflow.core.ports import ANY, Port, Type, fits, list_of
from sciflow.core.spelling import spelled


def check_fan(node: Node, fan: Fan, ports: Mapping[str, Port], facts: Facts, absences: Absences) -> dict[str, Type]:
    """Check a fan's lists; the types of their elements, by port."""
    items: dict[str, Type] = {}
    for name, expr in fan.over.items():
        expected = ports[name].type if name in ports else ANY
        items[name] = _item(expr, expected, Place(name, node.template, node.template, fan=True), absences.checker)
        what = f"the fan of {node.template} over {name}"
        fix = f"call {node.template} under the same condition, or use choose(condition, a, [])"
        absences.check(expr, facts, what, fix)
    _check_lengths(fan, node.template, absences.checker)
    return items


def _item(expr: Expr, expected: Type, place: Place, checker: Checker) -> Type:
    """Check a list that is fanned out over; the type of its elements."""
    found = checker.type_of(expr)
    item = item_type(found)
    if item is None:
        values = "take the values: list(d.values())"
        checker.say(
            f"{place.template} is mapped over {place.name}, which is no list",
            expected=f"list[{expected}]",
            found=f"{spelled(expr)}: {found}",
            fix=values if found.name == "dict" else f"pass it by .partial({place.name}=...)",
        )
        return expected
    if isinstance(expr, Build) or isinstance(getattr(expr, "value", None), list):
        fit(expr, list_of(expected), place, checker)
    elif not fits(item, expected):
        told = f"{spelled(expr)}, whose elements are {item}"
        checker.say(f"{place} does not fit", expected=str(expected), found=told, fix=remedy(item, expected, place))
    return item


def _check_lengths(fan: Fan, template: str, checker: Checker) -> None:
    known = ((name, _known_length(expr)) for name, expr in fan.over.items())
    lengths = {name: count for name, count in known if count is not None}
    if fan.mode == "zip" and len(set(lengths.values())) > 1:
        checker.say(
            f"the lists that {template} is mapped over are of unequal length",
            expected="lists of one length",
            found=", ".join(f"{name} has {count}" for name, count in lengths.items()),
            fix=f"make them equal, or use {template}.product(...) for all combinations",
        )
    most = _most_slices(fan, lengths)
    match fan.min_success:
        case int(least) if most is not None and least > most:
            what = f"{template} can never have {least} successes"
            checker.say(what, expected=f"at most {most}", found=str(least), fix="lower min_success")


def _most_slices(fan: Fan, lengths: Mapping[str, int]) -> int | None:
    """How many slices there can be at most; None if that is not known yet."""
    if fan.mode == "product":
        return math.prod(lengths.values()) if len(lengths) == len(fan.over) or 0 in lengths.values() else None
    return max(lengths.values(), default=None)


def _known_length(expr: Expr) -> int | None:
    match expr:
        case Const(value=list(items)) | Const(value={"$": "tuple", "v": list(items)}):
            return len(items)
        case Build(kind="list" | "tuple", parts=parts):
            return len(parts)
        case Call(function="range", args=args):
            return _range_length([a.value if isinstance(a, Const) else None for a in args])
        case _:
            return None


def _range_length(bounds: list[Tree]) -> int | None:
    try:
        return len(range(*bounds))
    except (TypeError, ValueError):  # not known yet, not whole numbers, or a step of 0: which is told elsewhere
        return None
