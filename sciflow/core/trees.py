"""Walks over trees. A part of a tree is an object with the key "$": it stands for what JSON lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sciflow.core.expr import Tree

Change = Callable[[dict[str, Any]], Tree]


def parts_of(tree: Tree) -> Iterator[dict[str, Any]]:
    """The parts of a tree, those that lie in others too."""
    if isinstance(tree, dict):
        if "$" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            if isinstance(value, dict | list):
                yield from parts_of(value)


def with_parts(tree: Tree, change: Change) -> Tree:
    """The tree with each part changed; `change` looks at what lies in a part itself, by `with_inner`."""
    return change(tree) if isinstance(tree, dict) and "$" in tree else with_inner(tree, change)


def with_inner(tree: Tree, change: Change) -> Tree:
    """The tree with those parts changed that lie in it, and not it itself."""
    match tree:
        case dict():
            return {name: with_parts(value, change) for name, value in tree.items()}
        case list() if any(isinstance(value, dict | list) for value in tree):
            return [with_parts(value, change) for value in tree]
        case _:
            return tree
