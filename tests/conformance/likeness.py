"""Whether two values are the same: type by type and bit by bit, without asking the code under test.

`seen` replaces every path in a value by what lies there: a `File` or a `Folder`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class File:
    """A file, by name and content."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Folder:
    """A folder, by name and all that is in it: the content of files, None for a folder."""

    name: str
    content: Mapping[str, bytes | None]


def seen(value: Any) -> Any:
    """`value` with every path replaced by what lies there."""
    match value:
        case Path() if value.is_dir():
            inside = sorted(value.rglob("*"))
            told = {p.relative_to(value).as_posix(): None if p.is_dir() else p.read_bytes() for p in inside}
            return Folder(value.name, told)
        case Path():
            return File(value.name, value.read_bytes())
        case list():
            return [seen(v) for v in value]
        case dict():
            return {k: seen(v) for k, v in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(seen, value))
        case tuple():
            return tuple(map(seen, value))
        case _:
            return value


def alike(found: Any, expected: Any, where: str = "result") -> None:
    """Both are the same.

    Raises:
        AssertionError: says where they differ.
    """
    assert type(found) is type(expected), f"{where}: {found!r} ({type(found)}) is not {expected!r} ({type(expected)})"
    match expected:
        case float():
            assert struct.pack("d", found) == struct.pack("d", expected), f"{where}: {found!r} is not {expected!r}"
        case complex():
            alike([found.real, found.imag], [expected.real, expected.imag], where)
        case _ if hasattr(expected, "dtype"):
            _alike_arrays(found, expected, where)
        case list() | tuple():
            assert len(found) == len(expected), f"{where}: {len(found)} is not {len(expected)} long"
            for i, pair in enumerate(zip(found, expected, strict=True)):
                alike(*pair, where=f"{where}[{i}]")
        case dict():
            assert list(found) == list(expected), f"{where}: {list(found)} are not {list(expected)}"
            for key in expected:
                alike(found[key], expected[key], f"{where}[{key!r}]")
        case _ if is_dataclass(expected):
            for field in fields(expected):
                alike(getattr(found, field.name), getattr(expected, field.name), f"{where}.{field.name}")
        case _:
            assert found == expected, f"{where}: {found!r} is not {expected!r}"


def _alike_arrays(found: np.ndarray, expected: np.ndarray, where: str) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), f"{where}: {found.dtype} {found.shape}"
    assert not expected.shape or found.flags.f_contiguous == expected.flags.f_contiguous, (
        f"{where}: another memory order"
    )
    if expected.dtype == object:
        alike(found.tolist(), expected.tolist(), where)
    else:
        assert found.tobytes() == expected.tobytes(), f"{where}: {found} is not {expected}"
