"""Files of a value that lie at another place than the run folder: which, and at whose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sciflow.core.expr import Tree
from sciflow.core.trees import tagged
from sciflow.engine.values import is_folded, read_folded

AT = b'"at":"'
_MAY_HOLD = (AT, b'"$":"value"')
_ARTIFACT = b'"$":"artifact"'


def files_elsewhere(root: Path, text: bytes, *, home: str | None = None) -> Iterator[tuple[str, str]]:
    """The executor that made it, and the path, of each file of a value that was made elsewhere.

    `home` is what is said of files that were made here; without it they are left out.
    """
    if any(mark in text for mark in _MAY_HOLD) or (home is not None and _ARTIFACT in text):
        yield from _walk(root, json.loads(text), home)


def _walk(root: Path, tree: Tree, home: str | None) -> Iterator[tuple[str, str]]:
    for part in tagged(tree, "artifact", "value"):
        at = part.get("at", home)
        if is_folded(part):
            yield from files_elsewhere(root, read_folded(root, part), home=home)
        elif at is not None:
            yield at, part["path"]
