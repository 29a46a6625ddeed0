"""Files of a value that lie at another place than the run folder: which, and at whose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sciflow.core.trees import parts_of
from sciflow.engine.values import is_folded, read_folded

AT = b'"at":"'
_MAY_HOLD = (AT, b'"$":"value"')
_ARTIFACT = b'"$":"artifact"'


def files_elsewhere(root: Path, text: bytes, *, home: str | None = None) -> Iterator[tuple[str, str]]:
    """The executor that made it, and the path, of each file of a value that was made elsewhere.

    `home` is what is said of files that were made here; without it they are left out.
    """
    if not any(mark in text for mark in _MAY_HOLD) and (home is None or _ARTIFACT not in text):
        return
    for part in parts_of(json.loads(text)):
        if is_folded(part):
            yield from files_elsewhere(root, read_folded(root, part), home=home)
            continue
        match part:
            case {"$": "artifact", "path": str() as path}:
                at = part.get("at", home)
                if at is not None:
                    yield at, path
