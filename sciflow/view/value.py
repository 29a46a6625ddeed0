"""A value in one short line, from its tree: nothing is decoded, no class of the user is needed."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sciflow.core.expr import Tree
from sciflow.view.formula import formula
from sciflow.view.quantity import count, size

SCALARS = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"} | {
    "f2": "e",
    "f4": "f",
    "f8": "d",
}  # numpy's dtype -> struct's format
KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
WRITABLE_INT = 3500  # hexadecimal digits; Python writes no int of more than 4300 decimal ones
SHOWN = 6  # elements of a list, fields of a record


def one_line(tree: Tree, *, width: int = 60) -> str:
    """`tree` as a person would note it down, cut to `width` characters."""
    return cut(_text(tree), width=width)


def cut(text: str, *, width: int) -> str:
    """`text` in one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(width - 1, 0)].rstrip() + "…"


def number(value: float) -> str:
    """A float in at most 7 significant digits."""
    return f"{value:.7g}" if math.isfinite(value) else str(value)


def fields(tree: Tree) -> dict[str, Tree] | None:
    """The named parts of a record's or a plain dict's tree; None where it has none."""
    match tree:
        case {"$": "record", "v": dict(parts)}:
            return parts
        case dict() if tree and "$" not in tree:
            return dict(tree)
        case _:
            return None


def _text(tree: Tree) -> str:
    match tree:
        case None | bool() | int():
            return str(tree)
        case float():
            return number(tree)
        case str():
            return json.dumps(tree, ensure_ascii=False) if _needs_quotes(tree) else tree
        case list():
            return _listed(tree, "[", "]")
        case {"$": str(kind)}:
            return TAGGED[kind](tree) if kind in TAGGED else f"<{kind}>"
        case dict():
            return _named("", tree, "{", "}", ": ")
        case _:
            return str(tree)


def _needs_quotes(text: str) -> bool:
    return text == "" or text != text.strip() or not text.isprintable()


def _listed(items: Sequence[Tree], opening: str, closing: str) -> str:
    if len(items) > SHOWN:
        head = ", ".join(_text(item) for item in items[: SHOWN - 2])
        return f"{opening}{head}, … {_text(items[-1])}{closing} ({count(len(items), 'element')})"
    return opening + ", ".join(map(_text, items)) + closing


def _named(head: str, parts: Mapping[str, Tree], opening: str, closing: str, between: str) -> str:
    shown = [f"{name}{between}{_text(part)}" for name, part in list(parts.items())[:SHOWN]]
    more = [f"… {len(parts)} in all"] if len(parts) > SHOWN else []
    return head + opening + ", ".join(shown + more) + closing


def _class(tree: Mapping[str, Any]) -> str:
    return str(tree.get("type", "")).rpartition(":")[2].rpartition(".")[2]


def _array(tree: Mapping[str, Any]) -> str:
    shape = " × ".join(map(str, tree["shape"])) or "1"
    return f"array of {shape} {_dtype(str(tree['dtype']))}"


def _dtype(code: str) -> str:
    """Numpy's name of a plain dtype: `float64` for `<f8`."""
    kind, width = code.lstrip("<>|=")[:1], code.lstrip("<>|=")[1:]
    return f"{KINDS[kind]}{8 * int(width)}" if kind in KINDS and width.isdigit() else code


def plain_number(tree: Tree) -> bool | int | float | None:
    """The number that a tree stands for, numpy's and special ones included; None if it is none that can be written."""
    match tree:
        case bool() | int() | float():
            return tree
        case {"$": "float", "v": str(text)}:
            return float(text)
        case {"$": "int", "v": str(text)} if len(text) <= WRITABLE_INT:
            return int(text, 16)
        case {"$": "scalar", "dtype": str(dtype), "v": str(text)} if dtype.lstrip("<>|=") in SCALARS:
            order = ">" if dtype.startswith(">") else "<"
            found: bool | int | float = struct.unpack(order + SCALARS[dtype.lstrip("<>|=")], b64decode(text))[0]
            return found
        case _:
            return None


def _scalar(tree: Mapping[str, Any]) -> str:
    value = plain_number(tree)
    if value is not None:
        return _text(value if isinstance(value, int) else float(value))
    return _text(tree["v"]) if tree["dtype"] == "text" else f"{tree['dtype']} scalar"


def _big_int(tree: Mapping[str, Any]) -> str:
    value = plain_number(tree)
    return str(value) if value is not None else f"{str(tree['v'])[:20]}… ({count(len(tree['v']), 'character')})"


def _artifact(tree: Mapping[str, Any]) -> str:
    name = str(tree["path"]).rstrip("/").rpartition("/")[2]
    ending = "/" if tree.get("kind") == "folder" else ""
    amount = f" ({size(tree['size'])})" if tree.get("size") is not None else ""
    return _text(name + ending) + amount


def _pairs(tree: Mapping[str, Any]) -> str:
    return _named("", {_text(key): value for key, value in tree["v"]}, "{", "}", ": ")


TAGGED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "float": lambda tree: str(tree["v"]),
    "int": _big_int,
    "complex": lambda tree: "complex" + _listed(tree["v"], "(", ")"),
    "bytes": lambda tree: size(len(tree["v"]) * 3 // 4) + " of bytes",
    "tuple": lambda tree: _listed(tree["v"], "(", ")"),
    "set": lambda tree: _listed(tree["v"], "{", "}"),
    "frozenset": lambda tree: _listed(tree["v"], "{", "}"),
    "dict": _pairs,
    "purepath": lambda tree: _text(tree["v"]),
    "datetime": lambda tree: str(tree["v"]),
    "date": lambda tree: str(tree["v"]),
    "time": lambda tree: str(tree["v"]),
    "atoms": formula,
    "timedelta": lambda tree: str(timedelta(*tree["v"])),
    "enum": lambda tree: _class(tree) + (f".{tree['name']}" if "name" in tree else f"({_text(tree['value'])})"),
    "record": lambda tree: _named(_class(tree), tree["v"], "(", ")", "="),
    "ndarray": _array,
    "scalar": _scalar,
    "pickle": lambda tree: f"pickled object ({size(len(tree['v']) * 3 // 4)})",
    "artifact": _artifact,
    "value": lambda tree: f"stored value ({size(tree['size'])})",
}
