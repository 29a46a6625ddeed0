"""A Python annotation as a `Type`: structure that can be checked without the user's classes."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import msgspec

from sciflow.core.ports import ANY, NONE, Type
from sciflow.runner.names import type_name
from sciflow.runner.pickled import PICKLED

_BARE = {Any: ANY, object: ANY, None: NONE, type(None): NONE}
_PLAIN = {bool: "bool", int: "int", float: "float", complex: "complex", str: "str", bytes: "bytes"}
_TRAVELLING = ("numpy", "ase", "datetime", "pathlib", "zoneinfo")  # packages whose classes the codec knows


class UnfitAnnotation(Exception):
    """An annotation that no value can be checked against, or whose values do not travel."""

    def __init__(self, annotation: object, fix: str) -> None:
        super().__init__(fix)
        self.annotation = annotation
        self.fix = fix


def type_of(annotation: Any) -> Type:
    """The `Type` of an annotation.

    Raises:
        UnfitAnnotation: its values could not travel between processes.
    """
    return _Reader().type_of(annotation)


class _Reader(msgspec.Struct, frozen=True):
    """Reads what stands inside the fields of the classes `inside`, and maybe inside a `Pickled[...]`.

    `bound` says what the parameters of a generic class stand for.
    """

    inside: tuple[type, ...] = ()
    pickled: bool = False
    bound: Mapping[Any, Type] = {}

    def type_of(self, annotation: Any) -> Type:
        origin = get_origin(annotation)
        plain = annotation if origin is None else origin
        if not isinstance(plain, abc.Hashable):
            return ANY
        if plain in _BARE:
            return _BARE[plain]
        read: Callable[[_Reader, Any, tuple[Any, ...]], Type] = _FORMS.get(plain, _Reader.named)
        return read(self, plain, get_args(annotation))

    def types_of(self, annotations: tuple[Any, ...]) -> tuple[Type, ...]:
        return tuple(map(self.type_of, annotations))

    def annotated(self, _: object, args: tuple[Any, ...]) -> Type:
        annotation, *marks = args
        travels = self.pickled or PICKLED in filter(_is_text, marks)
        type_ = _Reader(self.inside, travels, self.bound).type_of(annotation)
        if type_.name == "path":
            return Type(name="path", kind=next((m for m in marks if m in ("file", "folder")), ""))
        return msgspec.structs.replace(type_, pickled=True) if travels else type_

    def union(self, _: object, args: tuple[Any, ...]) -> Type:
        return Type(name="union", args=self.types_of(args))

    def literal(self, _: object, args: tuple[Any, ...]) -> Type:
        for member in args:
            if isinstance(member, enum.Enum):
                self._check_travels(type(member), "enum")
        from sciflow.runner.codec import encode

        return Type(name="literal", values=tuple(map(encode, args)))

    def items(self, origin: Any, args: tuple[Any, ...]) -> Type:
        return Type(name=origin.__name__, args=self.types_of(args) or (ANY,))

    def tuple_(self, _: object, args: tuple[Any, ...]) -> Type:
        variadic = args[1:] == (Ellipsis,)
        return Type(name="tuple", args=self.types_of(args[:1] if variadic else args), variadic=variadic)

    def mapping(self, _: object, args: tuple[Any, ...]) -> Type:
        return Type(name="dict", args=self.types_of(args) or (ANY, ANY))

    def sequence(self, _: object, args: tuple[Any, ...]) -> Type:
        item = self.types_of(args) or (ANY,)
        return Type(name="union", args=(Type(name="list", args=item), Type(name="tuple", args=item, variadic=True)))

    def field(self, _: object, args: tuple[Any, ...]) -> Type:
        return self.type_of(args[0])

    def named(self, named: object, args: tuple[Any, ...]) -> Type:
        match named:
            case typing.TypeVar():
                return self.bound.get(named) or self.type_of(named.__bound__ or Any)
            case typing.NewType():
                return self.type_of(named.__supertype__)
            case type():
                return self.class_(named, args)
            case _:
                return ANY

    def class_(self, cls: type, args: tuple[Any, ...]) -> Type:
        if cls in _PLAIN:
            return Type(name=_PLAIN[cls])
        if issubclass(cls, pathlib.Path):
            return Type(name="path")
        kind = _kind(cls)
        self._check_travels(cls, kind)
        given = () if kind == "class" else self.types_of(args)
        fields = self._fields(cls, kind, given)
        made = Type(name="object", of=type_name(cls), kind=kind, args=given, fields=fields, pickled=self.pickled)
        if kind == "typeddict":
            return msgspec.structs.replace(made, optional=tuple(sorted(getattr(cls, "__optional_keys__", ()))))
        return msgspec.structs.replace(made, bases=tuple(map(type_name, cls.__mro__[1:-1])))

    def _check_travels(self, cls: type, kind: str) -> None:
        name = cls.__name__
        if kind == "class":
            if not self.pickled and not _travels(cls):
                fix = f"make {name} a dataclass, NamedTuple, TypedDict or Enum, or annotate with Pickled[{name}]"
                raise UnfitAnnotation(cls, fix)
        elif "<locals>" in cls.__qualname__ and kind != "typeddict":
            raise UnfitAnnotation(cls, f"move {name} to the top of its module, where other processes find it")

    def _fields(self, cls: type, kind: str, args: tuple[Type, ...]) -> dict[str, Type]:
        if cls in self.inside or kind in ("class", "enum"):
            return {}
        hints = typing.get_type_hints(cls, include_extras=True)
        bound = dict(zip(getattr(cls, "__parameters__", ()), args, strict=False))
        reader = _Reader((*self.inside, cls), self.pickled, bound)
        return {name: reader.type_of(hints.get(name, Any)) for name in _field_names(cls, kind) or hints}


_FORMS: Mapping[object, Callable[[_Reader, Any, tuple[Any, ...]], Type]] = {
    typing.Annotated: _Reader.annotated,
    typing.Union: _Reader.union,
    types.UnionType: _Reader.union,
    typing.Literal: _Reader.literal,
    typing.Required: _Reader.field,
    typing.NotRequired: _Reader.field,
    tuple: _Reader.tuple_,
    **dict.fromkeys((list, set, frozenset), _Reader.items),
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping), _Reader.mapping),
    **dict.fromkeys((abc.Sequence, abc.Iterable, abc.Collection, abc.MutableSequence), _Reader.sequence),
}


def _is_text(mark: object) -> bool:
    return isinstance(mark, str)


def _kind(cls: type) -> str:
    if typing.is_typeddict(cls):
        return "typeddict"
    if issubclass(cls, enum.Enum):
        return "enum"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return "namedtuple"
    return "dataclass" if hasattr(cls, "__dataclass_fields__") else "class"


def _field_names(cls: type, kind: str) -> tuple[str, ...]:
    """The fields in order; none told of a TypedDict, all of whose annotations are fields."""
    if kind == "dataclass":
        from dataclasses import fields  # slow to import, and here the class itself has done so

        return tuple(f.name for f in fields(cls))
    return getattr(cls, "_fields", ())


def _travels(cls: type) -> bool:
    """Whether the codec may know the class, or classes derived from it."""
    if cls.__module__.partition(".")[0] in _TRAVELLING or getattr(cls, "_is_protocol", False):
        return True
    derived: list[type] = cls.__subclasses__()
    return bool(getattr(cls, "__abstractmethods__", ())) or any(_kind(c) != "class" for c in derived)
