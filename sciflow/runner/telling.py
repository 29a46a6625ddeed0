"""Numbers that a pod tells Argo of the output of its task, one in a file: what Argo looks at by itself.

What is not told is found out otherwise, by a program that has the value; so whatever is not surely right is left out.
"""

from __future__ import annotations

import os

from sciflow.runner.failures import PlaceError
from sciflow.runner.packs import read_stored
from sciflow.runner.text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

NUMBERS_BELOW = 2**53  # magnitudes that every reader of JSON takes as they are
LENGTHS_BELOW = 2**26  # of two lists: how many pairs there are can still be told


def tell(folder: str, root: str, tree: Tree, asked: Tree) -> None:
    """Write FOLDER/<name> for each `[name, kind, *path]` of `asked` that can be told of a task's output."""
    os.makedirs(folder, exist_ok=True)
    for name, kind, *path in asked:
        text = told(root, tree, kind, path)
        if text is not None:
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)


def told(root: str, tree: Tree, kind: str, path: Tree) -> str | None:
    """A number of a part of a value, as text; None if there is none that can be told."""
    try:
        tree = _unfolded(root, tree)
        for step in path:
            tree = _unfolded(root, _part(tree, step))
    except (PlaceError, LookupError, TypeError):  # it is not here, or has no such part
        return None
    if kind == "length":
        plain = isinstance(tree, list) or (isinstance(tree, dict) and "$" not in tree)
        return str(len(tree)) if plain and len(tree) < LENGTHS_BELOW else None
    if kind == "bool":
        return {True: "true", False: "false"}[tree] if isinstance(tree, bool) else None
    return str(int(tree)) if isinstance(tree, int) and abs(tree) < NUMBERS_BELOW else None


def _part(tree: Tree, step: str) -> Tree:
    """A field, or an element where `step` is a number.

    Raises:
        LookupError, TypeError: there is none.
    """
    if isinstance(tree, dict) and "$" in tree:
        kind = tree.get("kind") if tree["$"] == "record" else tree["$"]
        if kind == "tuple":
            tree = tree["v"]
        elif kind == "namedtuple" and step.isdigit():
            tree = list(tree["v"].values())
        elif tree["$"] == "record":
            tree = tree["v"]
        else:
            raise TypeError(f"no parts of {kind}")
    if isinstance(tree, list) is not step.isdigit():
        raise TypeError(f"no part {step}")
    return tree[int(step)] if isinstance(tree, list) else tree[step]


def _unfolded(root: str, tree: Tree) -> Tree:
    if isinstance(tree, dict) and tree.get("$") == "value":
        return parse(read_stored(root, tree).decode())
    return tree
