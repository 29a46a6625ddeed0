"""A tree as plain JSON for other programs: no tags, at the price that it cannot be read back as it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sciflow.core.expr import Tree
from sciflow.view.elements import elements
from sciflow.view.formula import formula
from sciflow.view.value import one_line, plain_number

UNCUT = 1_000_000  # characters


def plain(tree: Tree, *, folder: Path) -> Any:
    """Records as objects, arrays as nested lists, files as absolute paths, NaN and infinities as text.

    `folder` is the run's, to which stored paths are relative. All that a value holds is there, atoms as their formula
    and every array; but a pickled object, or an array of neither numbers nor texts, is a line that describes it.
    """
    match tree:
        case float() if not math.isfinite(tree):
            return str(tree)
        case list():
            return [plain(item, folder=folder) for item in tree]
        case {"$": str(kind)}:
            return TAGGED[kind](tree, folder) if kind in TAGGED else one_line(tree, width=UNCUT)
        case dict():
            return _fields(tree, folder)
        case _:
            return tree


def _fields(parts: Mapping[str, Tree], folder: Path) -> dict[str, Any]:
    return {name: plain(part, folder=folder) for name, part in parts.items()}


def _items(tree: Mapping[str, Any], folder: Path) -> Any:
    return plain(tree["v"], folder=folder)


def _itself(tree: Mapping[str, Any], _: Path) -> Any:
    return tree["v"]


def _record(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return _fields(tree["v"], folder)


def _pairs(tree: Mapping[str, Any], folder: Path) -> Any:
    """An object; where that would make two keys one, a list of pairs."""
    pairs: list[Sequence[Any]] = plain(tree["v"], folder=folder)
    named = {key if isinstance(key, str) else json.dumps(key, ensure_ascii=False): value for key, value in pairs}
    return named if len(named) == len(pairs) else pairs


def _number(tree: Mapping[str, Any], folder: Path) -> Any:
    number = plain_number(tree)
    if number is not None:
        return plain(number, folder=folder)
    return tree["v"] if tree["$"] == "int" or tree["dtype"] in ("text", "bytes") else one_line(tree, width=UNCUT)


def _enum(tree: Mapping[str, Any], folder: Path) -> Any:
    return tree["name"] if "name" in tree else plain(tree["value"], folder=folder)


def _array(tree: Mapping[str, Any], folder: Path) -> Any:
    found = elements(tree)
    return one_line(tree, width=UNCUT) if found is None else plain(found, folder=folder)


def _atoms(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The formula, arrays such as `numbers` and `positions` (Å), `cell` (Å), `pbc`, and what else the atoms have."""
    arrays: Mapping[str, Tree] = tree.get("arrays", {})
    rest = {name: part for name, part in tree.items() if name not in ("$", "arrays")}
    head = {"formula": formula(tree)} if arrays else {}
    return head | _fields({**arrays, **rest}, folder)


def _parts(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return _fields({name: part for name, part in tree.items() if name != "$"}, folder)


TAGGED: Mapping[str, Callable[[Mapping[str, Any], Path], Any]] = {
    "record": _record,
    "tuple": _items,
    "set": _items,
    "frozenset": _items,
    "dict": _pairs,
    "artifact": lambda tree, folder: str(folder / tree["path"]),
    "float": _number,
    "int": _number,
    "scalar": _number,
    "complex": _items,
    "bytes": _itself,
    "purepath": _itself,
    "datetime": _itself,
    "date": _itself,
    "time": _itself,
    "enum": _enum,
    "ndarray": _array,
    "atoms": _atoms,
    "spacegroup": _parts,
}
