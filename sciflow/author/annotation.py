"""A Python annotation as a `Type`: structure that can be checked without the user's classes."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import pathlib
import types
import typing
from typing import Any, get_args, get_origin

from sciflow.core.ports import ANY, NONE, Type
from sciflow.runner.names import type_name
from sciflow.runner.pickled import PICKLED

_BARE = {Any: ANY, object: ANY, None: NONE, type(None): NONE}
_PLAIN = {bool: "bool", int: "int", float: "float", complex: "complex", str: "str", bytes: "bytes"}
_SEQUENCES = (
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.MutableSequence,
)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_TRAVELLING = ("numpy", "ase", "datetime", "pathlib", "zoneinfo")  # packages whose classes the codec knows


class UnfitAnnotation(Exception):
    """An annotation that no value can be checked against, or whose values do not travel."""

    def __init__(self, annotation: object, fix: str) -> None:
        super().__init__(fix)
        self.annotation = annotation
        self.fix = fix


def type_of(annotation: Any, *, inside: tuple[type, ...] = (), pickled: bool = False) -> Type:
    """The `Type` of an annotation; `inside` are the classes whose fields are being looked at.

    Raises:
        UnfitAnnotation: its values could not travel between processes.
    """
    if isinstance(annotation, collections.abc.Hashable) and annotation in _BARE:
        return _BARE[annotation]
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return _annotated(annotation, inside, pickled)
    if origin in (typing.Union, types.UnionType):
        return Type(name="union", args=tuple(type_of(a, inside=inside, pickled=pickled) for a in get_args(annotation)))
    if origin is typing.Literal:
        return Type(
            name="literal", values=tuple(v.value if isinstance(v, enum.Enum) else v for v in get_args(annotation))
        )
    if origin is not None or annotation in (list, tuple, set, frozenset, *_MAPPINGS, *_SEQUENCES):
        return _container(origin or annotation, get_args(annotation), inside, pickled)
    if isinstance(annotation, typing.TypeVar):
        return type_of(annotation.__bound__, inside=inside, pickled=pickled) if annotation.__bound__ else ANY
    if isinstance(annotation, typing.NewType):
        return type_of(annotation.__supertype__, inside=inside, pickled=pickled)
    if isinstance(annotation, type):
        return class_type(annotation, inside=inside, pickled=pickled)
    return ANY


def _annotated(annotation: Any, inside: tuple[type, ...], pickled: bool) -> Type:
    marks = annotation.__metadata__
    travels = pickled or any(isinstance(m, str) and m == PICKLED for m in marks)
    type_ = type_of(annotation.__origin__, inside=inside, pickled=travels)
    if type_.name == "path":
        kinds = [m for m in marks if m in ("file", "folder")]
        return Type(name="path", kind=kinds[0]) if kinds else type_
    return _marked_pickled(type_) if travels else type_


def _marked_pickled(type_: Type) -> Type:
    fields = {name: getattr(type_, name) for name in type_.__struct_fields__}
    return Type(**{**fields, "pickled": True})


def _container(origin: Any, args: tuple[Any, ...], inside: tuple[type, ...], pickled: bool) -> Type:
    def parts(*annotations: Any) -> tuple[Type, ...]:
        return tuple(type_of(a, inside=inside, pickled=pickled) for a in annotations)

    if origin is list:
        return Type(name="list", args=parts(*args) or (ANY,))
    if origin is tuple:
        variadic = len(args) == 2 and args[1] is Ellipsis
        return Type(name="tuple", args=parts(*(args[:1] if variadic else args)), variadic=variadic)
    if origin in (set, frozenset):
        return Type(name=origin.__name__, args=parts(*args) or (ANY,))
    if origin in _MAPPINGS:
        return Type(name="dict", args=parts(*args) or (ANY, ANY))
    if origin in _SEQUENCES:
        item = parts(*args) or (ANY,)
        return Type(name="union", args=(Type(name="list", args=item), Type(name="tuple", args=item, variadic=True)))
    return class_type(origin, inside=inside, pickled=pickled) if isinstance(origin, type) else ANY


def class_type(cls: type, *, inside: tuple[type, ...] = (), pickled: bool = False) -> Type:
    """The `Type` of a class.

    Raises:
        UnfitAnnotation: its values could not travel between processes.
    """
    if cls in _PLAIN:
        return Type(name=_PLAIN[cls])
    if issubclass(cls, pathlib.Path):
        return Type(name="path")
    kind = _kind(cls)
    if kind == "class" and not pickled and not _travels(cls):
        raise UnfitAnnotation(
            cls,
            f"make {cls.__name__} a dataclass, NamedTuple, TypedDict or Enum, or annotate with Pickled[{cls.__name__}]",
        )
    if "<locals>" in cls.__qualname__ and kind in ("namedtuple", "dataclass", "enum"):
        raise UnfitAnnotation(cls, f"move {cls.__name__} to the top of its module, where other processes find it")
    fields = {} if cls in inside or kind in ("class", "enum") else _fields(cls, inside, pickled)
    optional = tuple(sorted(getattr(cls, "__optional_keys__", ()))) if kind == "typeddict" else ()
    bases = tuple(type_name(c) for c in cls.__mro__[1:-1]) if kind != "typeddict" else ()
    return Type(
        name="object", of=type_name(cls), bases=bases, kind=kind, fields=fields, optional=optional, pickled=pickled
    )


def _kind(cls: type) -> str:
    if typing.is_typeddict(cls):
        return "typeddict"
    if issubclass(cls, enum.Enum):
        return "enum"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return "namedtuple"
    return "dataclass" if dataclasses.is_dataclass(cls) else "class"


def _travels(cls: type) -> bool:
    """Whether the codec may know the class, or classes derived from it."""
    if cls.__module__.partition(".")[0] in _TRAVELLING or getattr(cls, "_is_protocol", False):
        return True
    derived: list[type] = cls.__subclasses__()
    return bool(getattr(cls, "__abstractmethods__", ())) or any(_kind(c) != "class" for c in derived)


def _fields(cls: type, inside: tuple[type, ...], pickled: bool) -> dict[str, Type]:
    hints = typing.get_type_hints(cls, include_extras=True)
    names = (
        [f.name for f in dataclasses.fields(cls)]
        if dataclasses.is_dataclass(cls)
        else list(getattr(cls, "_fields", hints))
    )
    return {name: type_of(_bare(hints.get(name, Any)), inside=(*inside, cls), pickled=pickled) for name in names}


def _bare(annotation: Any) -> Any:
    """Without the `Required` or `NotRequired` of a TypedDict's field."""
    return get_args(annotation)[0] if get_origin(annotation) in (typing.Required, typing.NotRequired) else annotation
