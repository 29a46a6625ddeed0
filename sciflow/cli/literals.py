"""Values of typed inputs from what a person types: text, or JSON.

JSON says less than Python does, so the port's type decides: a text becomes a path, a list a tuple, a dict a record.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sciflow.core.expr import Tree
from sciflow.core.ports import NONE, Type, enum_of
from sciflow.view.value import one_line

TEXTUAL = ("str", "path", "literal")
CLOCKS = ("datetime:datetime", "datetime:date", "datetime:time")
SEQUENCES: Mapping[str, Callable[..., Any]] = {"list": list, "set": set, "frozenset": frozenset}


class Unfit(ValueError):
    """A text or JSON value is none of the type."""


def bare_type(type_: Type) -> Type:
    """The type without `| None`: an option that is not given says None."""
    others = [member for member in type_.args if member != NONE] if type_.name == "union" else []
    return others[0] if len(others) == 1 else type_


def value_of(text: str, type_: Type) -> Any:
    """The value that a text stands for.

    Raises:
        Unfit: it is none of the type; the message says what was expected.
    """
    bare = bare_type(type_)
    if bare.name in TEXTUAL or bare.kind == "enum" or bare.of in CLOCKS:
        return fitted(text, bare)
    if text.startswith("@"):
        return fitted(_file_json(Path(text[1:])), bare)
    try:
        return fitted(json.loads(text), bare)
    except json.JSONDecodeError as error:
        if bare.name == "union" and any(member.name in TEXTUAL for member in bare.args):
            return fitted(text, bare)
        raise Unfit(f"expected {type_}, as JSON; found {text!r} ({error.msg} at character {error.pos + 1})") from None


def _file_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unfit(f"cannot read JSON from {path}: {error}") from None


def fitted(value: Any, type_: Type) -> Any:
    """A JSON value as one of the type: paths, enums, tuples, records made from what JSON can say.

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
            return Path(value)
        case ("literal", _):
            return _literal(value, type_)
        case ("union", _):
            return _member(value, type_)
        case ("object", _):
            return _instance(value, type_)
        case _:
            return _container(value, type_)


def _literal(value: Any, type_: Type) -> Any:
    for known in type_.values:
        if value == known or str(value) == literal_text(known):
            return _member_of(known)
    raise Unfit(f"expected one of {', '.join(map(repr, map(literal_text, type_.values)))}, found {value!r}")


def literal_text(known: Tree) -> str:
    """How a value of a `Literal` is written on the command line: an enum's member by its name."""
    match known:
        case {"$": "enum", "name": str(name)}:
            return name
        case _:
            return str(known)


def _member_of(known: Tree) -> Any:
    match known:
        case {"$": "enum", "name": str(name)}:
            found = class_of(enum_of(known))
            return known if found is None else found[name]
        case _:
            return known


def _member(value: Any, type_: Type) -> Any:
    for member in type_.args:
        try:
            return fitted(value, member)
        except Unfit:
            continue
    raise Unfit(f"expected {type_}, found {value!r}")


def _container(value: Any, type_: Type) -> Any:
    match type_, value:
        case Type(name="list" | "set" | "frozenset" as name, args=(item,)), list():
            made = [fitted(element, item) for element in value]
            return SEQUENCES[name](made)
        case Type(name="tuple", variadic=True, args=(item,)), list():
            return tuple(fitted(element, item) for element in value)
        case Type(name="tuple", args=items), list() if len(items) == len(value):
            return tuple(fitted(element, item) for element, item in zip(value, items, strict=True))
        case Type(name="dict", args=(Type(name="str" | "any"), item)), dict():
            return {key: fitted(element, item) for key, element in value.items()}
        case Type(name="list" | "dict", args=()), list() | dict() if type(value).__name__ == type_.name:
            return value
        case _:
            raise Unfit(f"expected {type_}, found {one_line(value, width=60)}")


def _instance(value: Any, type_: Type) -> Any:
    found = class_of(type_)
    match type_.kind, value:
        case ("namedtuple" | "dataclass", dict()) if found is not None:
            return _record(found, value, type_)
        case "typeddict", dict():
            return {name: fitted(part, type_.fields[name]) for name, part in value.items() if name in type_.fields}
        case "enum", _ if found is not None:
            return _enumerated(found, value)
        case _, str() if type_.of in CLOCKS and found is not None:
            return _moment(found, value)
        case _:
            raise Unfit(f"a {type_} cannot be written on the command line; let the workflow take a Path and read it")


def _record(found: Any, value: dict[str, Any], type_: Type) -> Any:
    foreign = sorted(value.keys() - type_.fields.keys())
    if foreign:
        raise Unfit(f"{type_} has no field {', '.join(foreign)}; it has {', '.join(type_.fields)}")
    try:
        return found(**{name: fitted(part, type_.fields[name]) for name, part in value.items()})
    except TypeError as error:
        raise Unfit(f"no {type_} can be made: {error}") from None


def _enumerated(found: Any, value: Any) -> Any:
    for member in found:
        if value in (member.name, member.value):
            return member
    raise Unfit(f"expected one of {', '.join(member.name for member in found)}, found {value!r}")


def _moment(found: Any, text: str) -> Any:
    try:
        return found.fromisoformat(text)
    except ValueError as error:
        raise Unfit(f"expected ISO 8601, {error}") from None


def class_of(type_: Type) -> Any:
    """The class itself: the user's module has been imported to read the workflow."""
    module, _, qualname = type_.of.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
