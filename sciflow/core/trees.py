"""Parts of values that stand for something else: `{"$": "artifact"}` for a file, `{"$": "value"}` for a stored one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sciflow.core.expr import Tree


def tagged(tree: Tree, *tags: str) -> Iterator[dict[str, Tree]]:
    """The parts with one of these tags, in order; it is not looked into them."""
    if isinstance(tree, dict):
        if tree.get("$") in tags:
            yield tree
            return
        tree = tree.values()
    elif not isinstance(tree, list):
        return
    for value in tree:
        if isinstance(value, dict | list):
            yield from tagged(value, *tags)


def replaced(tree: Tree, change: Callable[[dict[str, Tree]], Tree], *tags: str) -> Tree:
    """The tree with what `change` makes of the parts with one of these tags; it is not looked into them."""
    match tree:
        case dict():
            if tree.get("$") in tags:
                return change(tree)
            return {name: replaced(value, change, *tags) for name, value in tree.items()}
        case list() if any(isinstance(value, dict | list) for value in tree):
            return [replaced(value, change, *tags) for value in tree]
        case _:
            return tree
