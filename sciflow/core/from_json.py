"""Values of a type from what JSON can say, which is less than Python can: the type decides. Pure.

A text becomes a path, a list a tuple, an object a record. Who asks has the classes of users at hand, or has not, and
says how such values are made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sciflow.core.conform import told
from sciflow.core.expr import Tree
from sciflow.core.ports import NONE, Type, enum_of

TEXTUAL = ("str", "path", "literal")
CLOCKS: Mapping[str, Callable[[str], Any]] = {
    "datetime:datetime": dt.datetime.fromisoformat,
    "datetime:date": dt.date.fromisoformat,
    "datetime:time": dt.time.fromisoformat,
}
SEQUENCES: Mapping[str, Callable[..., Any]] = {"list": list, "set": set, "frozenset": frozenset}


class Unfit(ValueError):
    """A text or JSON value is none of the type."""


class Makers(Protocol):
    """Makes values for which JSON has no form; each raises Unfit where it cannot."""

    def path(self, text: str, type_: Type) -> Any:
        """A file or folder."""

    def enumerated(self, value: Any, type_: Type) -> Any:
        """The member of an enum that has that name, or that value."""

    def record(self, fields: Mapping[str, Any], type_: Type) -> Any:
        """A NamedTuple or dataclass; its fields are values already."""


def bare_type(type_: Type) -> Type:
    """The type without `| None`."""
    others = [member for member in type_.args if member != NONE] if type_.name == "union" else []
    return others[0] if len(others) == 1 else type_


def is_text(type_: Type) -> bool:
    """Whether its values are written as they are, and not as JSON."""
    return type_.name in TEXTUAL or type_.kind == "enum" or type_.of in CLOCKS


def literal_text(known: Tree) -> str:
    """How a value of a `Literal` is written: an enum's member by its name."""
    match known:
        case {"$": "enum", "name": str(name)}:
            return name
        case _:
            return str(known)


def fitted(value: Any, type_: Type, makers: Makers) -> Any:
    """A JSON value as one of the type.

    Raises:
        Unfit: it is none.
    """
    match type_.name, value:
        case ("any", _) | ("str", str()) | ("bool", bool()) | ("none", None):
            return value
        case ("int" | "float" | "complex", bool()):
            raise Unfit(f"expected {type_}, found {value}")
        case ("int", int()):
            return value
        case ("float", int() | float()):
            return float(value)
        case ("complex", int() | float()):
            return complex(value)
        case ("path", str()) if value:
            return makers.path(value, type_)
        case ("literal", _):
            return _literal(value, type_, makers)
        case ("union", _):
            return _member(value, type_, makers)
        case ("object", _):
            return _instance(value, type_, makers)
        case _:
            return _container(value, type_, makers)


def _literal(value: Any, type_: Type, makers: Makers) -> Any:
    for known in type_.values:
        if value == known or str(value) == literal_text(known):
            return _known(known, makers)
    raise Unfit(f"expected one of {', '.join(map(repr, map(literal_text, type_.values)))}, found {value!r}")


def _known(tree: Tree, makers: Makers) -> Any:
    match tree:
        case {"$": "enum", "name": str(name)}:
            return makers.enumerated(name, enum_of(tree))
        case _:
            return tree


def _member(value: Any, type_: Type, makers: Makers) -> Any:
    for member in type_.args:
        try:
            return fitted(value, member, makers)
        except Unfit:
            continue
    raise Unfit(f"expected {type_}, found {value!r}")


def _container(value: Any, type_: Type, makers: Makers) -> Any:
    match type_, value:
        case Type(name="list" | "set" | "frozenset" as name, args=(item,)), list():
            made = [fitted(element, item, makers) for element in value]
            return SEQUENCES[name](made)
        case Type(name="tuple", variadic=True, args=(item,)), list():
            return tuple(fitted(element, item, makers) for element in value)
        case Type(name="tuple", args=items), list() if len(items) == len(value):
            return tuple(fitted(element, item, makers) for element, item in zip(value, items, strict=True))
        case Type(name="dict", args=(Type(name="str" | "any"), item)), dict():
            return {key: fitted(element, item, makers) for key, element in value.items()}
        case Type(name="list" | "dict", args=()), list() | dict() if type(value).__name__ == type_.name:
            return value
        case _:
            raise Unfit(f"expected {type_}, found {_short(value)}")


def _instance(value: Any, type_: Type, makers: Makers) -> Any:
    match type_.kind, value:
        case ("namedtuple" | "dataclass", dict()):
            return makers.record(_fields(value, type_, makers), type_)
        case "typeddict", dict():
            return _fields(value, type_, makers)
        case "enum", _:
            return makers.enumerated(value, type_)
        case _, str() if type_.of in CLOCKS:
            return _moment(value, type_)
        case _:
            raise Unfit(f"a {type_} cannot be written as text or JSON; let the workflow take a Path and read it")


def _fields(value: Mapping[str, Any], type_: Type, makers: Makers) -> dict[str, Any]:
    foreign = sorted(value.keys() - type_.fields.keys())
    if foreign:
        raise Unfit(f"{type_} has no field {', '.join(foreign)}; it has {', '.join(type_.fields)}")
    return {name: fitted(part, type_.fields[name], makers) for name, part in value.items()}


def _moment(text: str, type_: Type) -> Any:
    try:
        return CLOCKS[type_.of](text)
    except ValueError as error:
        raise Unfit(f"expected ISO 8601, {error}") from None


def _short(value: Any) -> str:
    return told(value) if isinstance(value, list | dict) else repr(value)
