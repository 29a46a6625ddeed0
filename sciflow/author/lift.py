"""Values on their way into a graph: constants as trees, references as expressions, and containers of both."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias

from sciflow.author.reference import Ref, told
from sciflow.core.expr import Build, Const, Expr, Tree
from sciflow.runner.names import type_name

_PRIMITIVE = frozenset({bool, int, float, str, type(None)})
_SAFE_INT = 2**63
_SHOWN = 5

Kind: TypeAlias = Literal["list", "tuple", "dict", "namedtuple", "dataclass"]


class Unencodable(Exception):
    """A value that cannot be written down; `found` tells it shortly."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found = found
        self.fix = fix


def lifted(value: Any, *, pickled: bool = False, tracer: object = None) -> Expr:
    """The expression that stands for a value: a constant, a reference's own, or a container put together.

    Raises:
        Unencodable: a part of it cannot be written down, or is a reference that does not belong to `tracer`'s graph.
    """
    if type(value) is Ref:
        if tracer is not None and value._tracer is not tracer:  # noqa: SLF001
            raise Unencodable(f"{told(value)}, of another workflow", "hand it over as an argument of this workflow")
        return value._expr  # noqa: SLF001
    if type(value) in _PRIMITIVE or not holds_reference(value):
        return Const(value=encoded(value, pickled=pickled))
    kind, names, parts = _taken_apart(value)
    of = type_name(type(value)) if kind in {"namedtuple", "dataclass"} else ""
    exprs = tuple(lifted(p, pickled=pickled, tracer=tracer) for p in parts)
    return Build(kind=kind, of=of, keys=names, parts=exprs)


def _taken_apart(value: Any) -> tuple[Kind, tuple[str, ...], list[Any]]:
    if isinstance(value, dict):
        if not all(type(k) is str for k in value):
            raise Unencodable("a dict with references whose keys are not all text", "use text as keys")
        return "dict", tuple(value), list(value.values())
    if isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", ())
        return ("namedtuple" if names else "list" if isinstance(value, list) else "tuple"), names, list(value)
    fields = _dataclass_fields(value)
    return "dataclass", tuple(fields), list(fields.values())


def holds_reference(value: Any) -> bool:
    """Whether a reference lies anywhere in a value."""
    if isinstance(value, (list, tuple)):
        kinds = set(map(type, value))
        return not kinds <= _PRIMITIVE and any(map(holds_reference, value))
    if isinstance(value, dict):
        return any(map(holds_reference, value.values()))
    return type(value) is Ref or any(map(holds_reference, _dataclass_fields(value).values()))


def _dataclass_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass's object by name; none of any other value."""
    if not hasattr(type(value), "__dataclass_fields__"):
        return {}
    from dataclasses import fields  # slow to import, and here the class itself has done so

    return {f.name: getattr(value, f.name, None) for f in fields(value)}


def encoded(value: Any, *, pickled: bool = False, present: bool = True) -> Tree:
    """A constant as a tree; a Path becomes absolute and, unless `present` is false, has to be there.

    Raises:
        Unencodable: it cannot be written down.
    """
    if _stands_for_itself(value):
        return value
    from sciflow.runner.codec import encode
    from sciflow.runner.failures import CodecError

    absent: list[str] = []
    try:
        tree = encode(value, pickled=pickled, artifact=lambda path: _artifact(path, absent))
    except CodecError as error:
        found, _, fix = str(error).partition("; ")
        raise Unencodable(found, fix) from error
    if absent and present:
        raise Unencodable(_listed(absent), f"check the path; relative ones start at {Path.cwd()}")
    return tree


def _stands_for_itself(value: object) -> bool:
    """Whether the tree of a value is seen at a glance to be the value itself; `encode` looks closer at the others."""
    match value:
        case bool() | None:
            return True
        case int() if type(value) is int:
            return -_SAFE_INT < value < _SAFE_INT
        case float() if type(value) is float:
            return math.isfinite(value)
        case _:
            return type(value) is str and value.isascii()


def _listed(absent: list[str]) -> str:
    more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return f"{', '.join(absent[:_SHOWN])}{more} (not there)"


def _artifact(path: PurePath, absent: list[str]) -> Tree:
    """A file or folder of the user's own, not yet taken into a run."""
    place = str(path if path.is_absolute() else Path(path).absolute())
    mode = _mode(place)
    if mode is None:
        absent.append(str(path))
    elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise Unencodable(f"{path} (a pipe, socket or device)", "give a file or a folder")
    if not place.isprintable():
        _refuse_surrogates(place)
    is_folder = mode is not None and stat.S_ISDIR(mode)
    return {"$": "artifact", "path": place, "kind": "folder" if is_folder else "file"}


def _mode(place: str) -> int | None:
    """What is in a place; None if nothing is."""
    try:
        return os.stat(place).st_mode  # noqa: PTH116  a path to a text is what takes the time
    except (OSError, ValueError):
        Path(place).exists()  # raises what does not mean that nothing is there
        return None


def _refuse_surrogates(place: str) -> None:
    try:
        place.encode()
    except UnicodeEncodeError:
        raise Unencodable(f"{place!a} (the name is not UTF-8)", "rename it") from None
