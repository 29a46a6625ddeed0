"""From values to trees. The kinds of values stand in one table; arrays, atoms and dates have modules of their own.

The exact built-in types take the fast path. A subclass of one is refused rather than cut to its base.
"""

from __future__ import annotations

import sys

from sciflow.runner.failures import CodecError
from sciflow.runner.names import type_name
from sciflow.runner.neutral import Artifact, EnumValue, Opaque, Record
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import PurePath
    from typing import Any, Callable

    Tree = Any

INT_LIMIT = 1 << 63
_INFINITY = float("inf")


class Fault(CodecError):
    """A `CodecError` under way: learns its place in the value as it rises."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.where = ""

    def inside(self, step: str) -> Fault:
        """The same, one level further out."""
        self.where = step + self.where
        return self

    def __str__(self) -> str:
        return f"at {self.where}: {self.what}" if self.where else self.what


class Encoder:
    """Writes values; one per call of `encode`."""

    __slots__ = ("artifact", "pickled")

    def __init__(self, *, pickled: bool, artifact: Callable[[PurePath], Tree]) -> None:
        self.pickled = pickled
        self.artifact = artifact

    def encode(self, value: object) -> Tree:
        """The tree of a whole value."""
        try:
            return self.write(value)
        except RecursionError:
            raise CodecError("the value is nested too deep, or holds itself") from None

    def write(self, value: Any) -> Tree:
        """The tree of a part of a value."""
        writer = _WRITERS.get(type(value))
        return _write_other(self, value) if writer is None else writer(self, value)

    def items(self, values: Any) -> list[Tree]:
        """The trees of a sequence."""
        trees: list[Tree] = []
        try:
            for value in values:
                trees.append(self.write(value))  # noqa: PERF401  how many there are tells which one failed
        except Fault as fault:
            raise fault.inside(f"[{len(trees)}]")  # noqa: B904  the same error, with its place
        return trees

    def fields(self, values: dict[str, Any], *, step: str = ".{}") -> dict[str, Tree]:
        """The trees of named values."""
        trees: dict[str, Tree] = {}
        name = ""
        try:
            for name, value in values.items():
                trees[name] = self.write(value)
        except Fault as fault:
            raise fault.inside(step.format(name))  # noqa: B904  the same error, with its place
        return trees


def _write_plain(_: Encoder, value: Tree) -> Tree:
    return value


def _write_int(_: Encoder, value: int) -> Tree:
    return value if -INT_LIMIT < value < INT_LIMIT else {"$": "int", "v": hex(value)}


def _write_float(_: Encoder, value: float) -> Tree:
    return value if -_INFINITY < value < _INFINITY else {"$": "float", "v": repr(value)}


def _write_str(_: Encoder, value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Fault(
                f"the text has a lone surrogate ({value[error.start]!a}) at character {error.start}, which no file or "
                "database keeps; text read from bytes: keep the bytes, or read with errors='replace'"
            ) from None
    return value


def _write_list(encoder: Encoder, value: list[Any]) -> list[Tree]:
    return value[:] if _is_plain(value) else encoder.items(value)


def _is_plain(values: list[Any]) -> bool:
    """Whether the list is a tree as it stands, told without looking at its elements one by one."""
    kinds = set(map(type, values))
    if len(kinds) != 1:
        return not kinds
    kind = kinds.pop()
    if kind is float:
        return bool(-_INFINITY < sum(values) < _INFINITY)
    if kind is int:
        return bool(min(values) > -INT_LIMIT and max(values) < INT_LIMIT)
    return kind is bool or kind is type(None) or (kind is str and "".join(values).isascii())


def _write_dict(encoder: Encoder, value: dict[Any, Any]) -> Tree:
    for key in value:
        if type(key) is not str or key == "$":
            return {"$": "dict", "v": [[encoder.write(k), _write_entry(encoder, k, v)] for k, v in value.items()]}
        _write_str(encoder, key)
    return encoder.fields(value, step="[{!r}]")


def _write_entry(encoder: Encoder, key: Any, value: Any) -> Tree:
    try:
        return encoder.write(value)
    except Fault as fault:
        raise fault.inside(f"[{_short(key)}]")  # noqa: B904


def _write_tuple(encoder: Encoder, value: tuple[Any, ...]) -> Tree:
    return {"$": "tuple", "v": encoder.items(value)}


def _write_set(encoder: Encoder, value: Any) -> Tree:
    # sorted by text: equal sets are written alike, whatever the order of their hashes
    return {"$": type(value).__name__, "v": sorted(encoder.items(value), key=dump)}


def _write_complex(encoder: Encoder, value: complex) -> Tree:
    return {"$": "complex", "v": [encoder.write(value.real), encoder.write(value.imag)]}


def to_base64(data: Any) -> str:
    """Bytes as one line of text."""
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).decode("ascii")


_WRITERS: dict[type, Callable[[Encoder, Any], Tree]] = {
    type(None): _write_plain,
    bool: _write_plain,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    list: _write_list,
    dict: _write_dict,
    tuple: _write_tuple,
    set: _write_set,
    frozenset: _write_set,
    complex: _write_complex,
    bytes: lambda _, value: {"$": "bytes", "v": to_base64(value)},
    Record: lambda encoder, value: _record(
        value.type, value.kind, encoder.fields(value.fields), encoder.fields(value.extra)
    ),
    EnumValue: lambda _, value: value.tree,
    Artifact: lambda _, value: value.tree,
    Opaque: lambda _, value: value.tree,
}


def _record(type_: str, kind: str, fields: dict[str, Tree], extra: dict[str, Tree]) -> Tree:
    tree = {"$": "record", "type": type_, "kind": kind, "v": fields}
    return {**tree, "extra": extra} if extra else tree


def _write_other(encoder: Encoder, value: Any) -> Tree:
    """What is known by more than its exact type; a module that was never imported has no values."""
    cls = type(value)
    if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
        return _write_enum(encoder, value)
    if isinstance(value, tuple) and hasattr(cls, "_fields"):
        return _record(type_of(cls), "namedtuple", encoder.fields(dict(zip(cls._fields, value))), {})
    if hasattr(cls, "__dataclass_fields__"):
        from sciflow.runner import records

        fields, extra = records.take_apart(value)
        return _record(type_of(cls), "dataclass", encoder.fields(fields), encoder.fields(extra))
    tree = _write_library(encoder, value, cls.__module__.partition(".")[0])
    if tree is not None:
        return tree
    if encoder.pickled:
        from sciflow.runner import pickles

        return pickles.write(value)
    raise Fault(_refusal(value))


def _write_library(encoder: Encoder, value: Any, package: str) -> Tree | None:
    """The tree of a value of the standard library, numpy or ase; None: not one that has a form."""
    tree: Tree | None = None
    if package == "pathlib":
        tree = _write_path(encoder, value)
    elif package == "datetime":
        from sciflow.runner import dates

        tree = dates.write(encoder, value)
    elif package == "ase":
        from sciflow.runner import atoms

        tree = atoms.write(encoder, value)
    elif "numpy" in sys.modules:
        from sciflow.runner import arrays

        tree = arrays.write(encoder, value)
    return tree


def _write_enum(encoder: Encoder, value: Any) -> Tree:
    cls = type(value)
    tree: dict[str, Tree] = {"$": "enum", "type": type_of(cls)}
    plain = next((base for base in cls.__mro__ if base in (int, float, str)), None)
    if plain is not None:  # a member of an IntEnum is an int: said for those who do not have the class
        tree["is"] = encoder.write(str.__str__(value) if plain is str else plain(value))
    if value.name in cls.__members__:
        return {**tree, "name": value.name}
    return {**tree, "value": encoder.write(value.value)}  # flags put together


def _write_path(encoder: Encoder, value: Any) -> Tree | None:
    from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath

    if isinstance(value, Path):
        return encoder.artifact(value) if type(value) in (PosixPath, WindowsPath) else None
    if type(value) not in (PurePosixPath, PureWindowsPath):
        return None
    tree = {"$": "purepath", "v": _write_str(encoder, str(value))}
    return tree if type(value) is PurePosixPath else {**tree, "flavour": "windows"}


def type_of(cls: type) -> str:
    """The name of a class that can be found again.

    Raises:
        CodecError: it was made inside a function.
    """
    if "<locals>" in cls.__qualname__:
        raise Fault(
            f"class {cls.__qualname__} is made inside a function, where nobody finds it; move it to the module's top"
        )
    return type_name(cls)


def _short(value: object) -> str:
    return repr(value)[:40] if isinstance(value, (str, int, float)) else type(value).__name__


def _refusal(value: object) -> str:
    cls = type(value)
    base = next((b for b in cls.__mro__[1:] if b in _WRITERS), None)
    name = type_name(cls).replace("builtins:", "").replace(":", ".")
    if base is not None:
        return f"{name} is a subclass of {base.__name__} and would not come back as itself; give {base.__name__}(...)"
    return (
        f"a value of type {name} has no form that gives it back; use JSON types, a dataclass, NamedTuple or array, "
        f"or say that it may be pickled: sciflow.Pickled[{cls.__qualname__}]"
    )
