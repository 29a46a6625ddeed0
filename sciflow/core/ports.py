"""Ports and their types: what flows where, and what fits what.

A `Type` describes a Python annotation by structure, so that a graph can be checked without the user's classes.
`sciflow.author.signature` makes one from an annotation; the runner checks values against the annotation itself.
"""

from __future__ import annotations

import msgspec

from sciflow.core.expr import Const, Tree

NUMBERS = ("bool", "int", "float", "complex")  # each fits where a later one is asked for (PEP 484's numeric tower)
_BUILTIN = frozenset(f"builtins:{name}" for name in (*NUMBERS, "str", "bytes"))
_WRITTEN = {"none": "None", "any": "Any", "path": "Path"}  # names that Python writes otherwise


class Type(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An annotation.

    `name` is one of any, none, bool, int, float, complex, str, bytes, path, list (1 arg), set (1), frozenset (1),
    dict (2), tuple (n, or 1 with `variadic`), union (n), literal (`values`), or object (`of` and `bases`; a generic
    class may have args).
    """

    name: str
    args: tuple[Type, ...] = ()
    variadic: bool = False
    values: tuple[str | int | bool | dict[str, Tree] | None, ...] = ()  # trees: of an enum's member and of bytes tagged
    of: str = ""  # "module:Qualname" of a class
    bases: tuple[str, ...] = ()  # the class's other ancestors, "module:Qualname", without object
    kind: str = ""  # of an object: class, enum, namedtuple, dataclass, typeddict; of a path, if said: file, folder
    fields: dict[str, Type] = {}  # of a namedtuple, dataclass or typeddict
    optional: tuple[str, ...] = ()  # fields of a typeddict that may be missing
    pickled: bool = False  # the port says that a value travels as a pickle

    def __str__(self) -> str:
        match self.name:
            case "union":
                return " | ".join(map(str, self.args))
            case "literal":
                return f"Literal[{', '.join(map(_literal, self.values))}]"
            case "object":
                args = f"[{', '.join(map(str, self.args))}]" if self.args else ""
                return (self.of.partition(":")[2] or self.of) + args
            case "path" if self.kind:
                return f"Path of a {self.kind}"
            case "tuple" if self.variadic:
                return f"tuple[{self.args[0]}, ...]"
            case name:
                return f"{name}[{', '.join(map(str, self.args))}]" if self.args else _WRITTEN.get(name, name)

    @property
    def members(self) -> tuple[Type, ...]:
        """The types of a union; of any other, itself."""
        return self.args if self.name == "union" else (self,)

    @property
    def item(self) -> Type:
        """What a list, set, frozenset or variadic tuple holds."""
        return self.args[0] if self.args else ANY

    @property
    def entry(self) -> tuple[Type, Type]:
        """The key and the value of a dict."""
        return (self.args[0], self.args[1]) if self.args else (ANY, ANY)


ANY = Type(name="any")
NONE = Type(name="none")


class Port(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named, typed input; required unless it has a default."""

    name: str
    type: Type
    default: Const | None = None


def _literal(value: Tree) -> str:
    match value:
        case {"$": "enum", "type": str(of), "name": str(name)}:
            return f"{of.partition(':')[2]}.{name}"
        case _:
            return repr(value)


def enum_of(tree: dict[str, Tree]) -> Type:
    """The type of an enum's member; its tree says what it is besides, as a member of an `IntEnum` is an int."""
    plain = (f"builtins:{type(tree['is']).__name__}",) if "is" in tree else ()
    return Type(name="object", of=tree["type"], kind="enum", bases=plain)


def list_of(item: Type) -> Type:
    """The type of a list of `item`."""
    return Type(name="list", args=(item,))


def optional(type_: Type) -> Type:
    """`type_ | None`, flat."""
    known = type_.name == "any" or NONE in type_.members
    return type_ if known else Type(name="union", args=(*type_.members, NONE))


def accepts_none(type_: Type) -> bool:
    """Whether None is a value of the type."""
    return fits(NONE, type_)


def fits(found: Type, expected: Type) -> bool:
    """Whether every value of `found` may be a value of `expected`; unknown (`Any`) fits on both sides.

    A union fits where each of its members does. Containers are taken as read-only, so they vary with their elements.
    """
    if found.name == "any" or expected.name == "any":
        return True
    if found.name == "union":
        return all(fits(member, expected) for member in found.args)
    if expected.name == "union":
        return any(fits(found, member) for member in expected.args)
    if found.name == "literal":
        return _literal_fits(found, expected)
    return _same_kind_fits(found, expected)


def _literal_fits(found: Type, expected: Type) -> bool:
    if expected.name == "literal":
        return all(any(v == e and type(v) is type(e) for e in expected.values) for v in found.values)
    return all(fits(_type_of_literal(v), expected) for v in found.values)


def _type_of_literal(value: Tree) -> Type:
    match value:
        case {"$": "enum"}:
            return enum_of(value)
        case {"$": str(tag)}:
            return Type(name=tag)
        case _:
            return Type(name="none" if value is None else type(value).__name__)


def _same_kind_fits(found: Type, expected: Type) -> bool:
    match found.name, expected.name:
        case "object", "object":
            same = found.of == expected.of
            return all(map(fits, found.args, expected.args)) if same else expected.of in found.bases
        case "object", _:
            return _record_fits(found, expected)
        case "tuple", "tuple":
            return _tuple_fits(found, expected)
        case name, other if name == other:
            return all(map(fits, found.args, expected.args))
        case name, wide:
            return wide in NUMBERS and name in NUMBERS[: NUMBERS.index(wide)]


def _record_fits(found: Type, expected: Type) -> bool:
    """A NamedTuple is a tuple, a TypedDict a dict of text keys, an IntEnum an int, a numpy.float64 a float."""
    match found.kind, expected.name:
        case "namedtuple", "tuple":
            return _tuple_fits(Type(name="tuple", args=tuple(found.fields.values())), expected)
        case "typeddict", "dict":
            key, value = expected.entry
            return fits(Type(name="str"), key) and all(fits(f, value) for f in found.fields.values())
        case _:
            plain = (Type(name=base.partition(":")[2]) for base in found.bases if base in _BUILTIN)
            return f"builtins:{expected.name}" in found.bases or any(fits(base, expected) for base in plain)


def _tuple_fits(found: Type, expected: Type) -> bool:
    if not found.args or not expected.args:
        return True
    if expected.variadic:
        return all(fits(f, expected.args[0]) for f in found.args)
    if found.variadic:
        return False
    return len(found.args) == len(expected.args) and all(map(fits, found.args, expected.args))
