"""Files of a value that lie at another place than the run folder: which, and at whose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sciflow.core.expr import Tree
from sciflow.engine.values import is_folded, read_folded

AT = b'"at":"'
_MAY_HOLD = (AT, b'"$":"value"')


def files_elsewhere(root: Path, text: bytes) -> Iterator[tuple[str, str]]:
    """The executor that made it, and the path, of each file of a value that was made elsewhere."""
    if any(mark in text for mark in _MAY_HOLD):
        yield from _walk(root, json.loads(text))


def _walk(root: Path, tree: Tree) -> Iterator[tuple[str, str]]:
    if is_folded(tree):
        yield from files_elsewhere(root, read_folded(root, tree))
        return
    match tree:
        case {"$": "artifact", "at": str() as at, "path": str() as path}:
            yield at, path
        case dict():
            for value in tree.values():
                yield from _walk(root, value)
        case list():
            for value in tree:
                yield from _walk(root, value)
