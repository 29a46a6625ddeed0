"""A tree as plain JSON for other programs: no tags, at the price that it cannot be read back as it was."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sciflow.core.expr import Tree
from sciflow.view.value import SCALARS, one_line, plain_number


def plain(tree: Tree, *, folder: Path) -> Any:
    """Records as objects, arrays as nested lists, files as absolute paths, NaN and infinities as text.

    `folder` is the run's, to which stored paths are relative. What has no plain form becomes a line of text.
    """
    match tree:
        case float() if not math.isfinite(tree):
            return str(tree)
        case list():
            return [plain(item, folder=folder) for item in tree]
        case {"$": str(kind)}:
            return _tagged(kind, tree, folder)
        case dict():
            return {name: plain(part, folder=folder) for name, part in tree.items()}
        case _:
            return tree


def _tagged(kind: str, tree: Mapping[str, Any], folder: Path) -> Any:
    match kind:
        case "record":
            return {name: plain(part, folder=folder) for name, part in tree["v"].items()}
        case "tuple" | "set" | "frozenset":
            return [plain(item, folder=folder) for item in tree["v"]]
        case "dict":
            return {one_line(key): plain(value, folder=folder) for key, value in tree["v"]}
        case "artifact":
            return str(folder / tree["path"])
        case "float" | "int" | "scalar" if (number := plain_number(tree)) is not None:
            return plain(number, folder=folder)
        case "int":
            return tree["v"]
        case "complex" | "purepath" | "datetime" | "date" | "time":
            return tree["v"]
        case "enum":
            return tree["name"] if "name" in tree else plain(tree["value"], folder=folder)
        case "ndarray":
            return _array(tree)
        case _:
            return one_line(tree, width=200)


def _array(tree: Mapping[str, Any]) -> Any:
    """Nested lists of a numeric array; another one's description."""
    dtype, shape = str(tree["dtype"]), [int(n) for n in tree["shape"]]
    if dtype.lstrip("<>|=") not in SCALARS or tree.get("order", "C") != "C" or 0 in shape:
        return one_line(tree)
    order = ">" if dtype.startswith(">") else "<"
    values = struct.unpack(f"{order}{math.prod(shape)}{SCALARS[dtype.lstrip('<>|=')]}", b64decode(tree["v"]))
    return _nested([plain(value, folder=Path()) for value in values], shape)


def _nested(values: Sequence[Any], shape: Sequence[int]) -> Any:
    if not shape:
        return values[0]
    step = len(values) // shape[0]
    return [_nested(values[n * step : (n + 1) * step], shape[1:]) for n in range(shape[0])]
