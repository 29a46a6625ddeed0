"""The elements of a numpy array's tree as nested lists, without numpy."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from sciflow.view.value import SCALARS

COMPLEX = {"c8": "f", "c16": "d"}  # numpy's dtype -> struct's format of each part


def elements(tree: Mapping[str, Any]) -> Any:
    """Nested lists of numbers (a complex one as its two parts) or texts; None where they cannot be told."""
    shape = [int(n) for n in tree["shape"]]
    try:
        flat = _flat(str(tree["dtype"]), math.prod(shape), b64decode(tree["v"]))
    except (struct.error, UnicodeDecodeError):
        return None
    return None if flat is None else _nested(flat, shape, _strides(shape, first=tree.get("order") == "F"), 0)


def _flat(dtype: str, count: int, data: bytes) -> Sequence[Any] | None:
    order, code = ">" if dtype.startswith(">") else "<", dtype.lstrip("<>|=")
    if code in SCALARS:
        return struct.unpack(f"{order}{count}{SCALARS[code]}", data)
    if code in COMPLEX:
        parts = struct.unpack(f"{order}{2 * count}{COMPLEX[code]}", data)
        return list(map(list, zip(parts[::2], parts[1::2], strict=True)))
    if code[:1] == "U" and code[1:].isdigit():
        return _texts(data, count, 4 * int(code[1:]), "utf-32-be" if order == ">" else "utf-32-le")
    return None


def _texts(data: bytes, count: int, width: int, encoding: str) -> list[str]:
    """Texts of `width` bytes each, filled up with zeros."""
    return [data[n * width : (n + 1) * width].decode(encoding).rstrip("\0") for n in range(count)]


def _strides(shape: Sequence[int], *, first: bool) -> list[int]:
    """How far apart in the flat list neighbours of each dimension stand; `first`: those of the first are adjacent."""
    if first:
        return [math.prod(shape[:n]) for n in range(len(shape))]
    return [math.prod(shape[n + 1 :]) for n in range(len(shape))]


def _nested(flat: Sequence[Any], shape: Sequence[int], strides: Sequence[int], at: int) -> Any:
    if not shape:
        return flat[at]
    return [_nested(flat, shape[1:], strides[1:], at + n * strides[0]) for n in range(shape[0])]
