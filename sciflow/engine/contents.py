"""The content of values: the same for equal values, wherever their parts are stored and whoever wrote them down."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from sciflow.core.expr import Tree
from sciflow.core.trees import with_inner, with_parts
from sciflow.engine.values import is_folded, read_folded
from sciflow.runner.text import dump

LONG = 4096  # longer texts count by their hash
_FOLDED = b'{"$":"value"'
# What is not content by itself: places of files and stored values, and numbers that can be written in several ways.
_UNSETTLED = re.compile(rb'"\$":"(?:artifact|value)"|\d[eE]|0\.0000')


class Contents:
    """Tells contents; what is stored is read from the run folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[str, int, str], bytes] = {}

    def of(self, text: bytes) -> bytes:
        """The content of the value that `text` stands for.

        Raises:
            RunDamaged: a part of it is missing.
        """
        if len(text) <= LONG and not _UNSETTLED.search(text):
            return text
        if not text.startswith(_FOLDED):
            return self._settled(text)
        tag = json.loads(text)
        place = (tag["file"], tag["at"], tag["sha256"])
        if place not in self._known:
            self._known[place] = self._settled(read_folded(self._root, tag))
        return self._known[place]

    def _settled(self, text: bytes) -> bytes:
        if _UNSETTLED.search(text):
            text = dump(self._whole(json.loads(text))).encode()
        return text if len(text) <= LONG else b"sha256 " + hashlib.sha256(text).hexdigest().encode()

    def _whole(self, tree: Tree) -> Tree:
        """The tree with nothing stored elsewhere, and files by name and hash."""
        return with_parts(tree, self._whole_part)

    def _whole_part(self, part: dict[str, Any]) -> Tree:
        if is_folded(part):
            return self._whole(json.loads(read_folded(self._root, part)))
        match part:
            case {"$": "artifact", "path": path, "sha256": sha256}:
                return {"$": "artifact", "name": path.rpartition("/")[2], "sha256": sha256}
            case _:
                return with_inner(part, self._whole_part)
