"""Takes values from outside into a run: files are copied in and named by their hash, long values are folded.

A run stands by itself afterwards: its folder can be moved, and the user's files can change.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.engine.journal import Values
from sciflow.engine.values import read_folded
from sciflow.errors import RunDamaged
from sciflow.storage.directory import DirectoryStorage
from sciflow.storage.keys import artifact_key
from sciflow.storage.storage import Stored


class Intake:
    """Takes in for one run."""

    def __init__(self, root: Path, values: Values) -> None:
        self._root = root
        self._values = values
        self._storage = DirectoryStorage(root)
        self._known: dict[tuple[str, int, int, int], dict[str, Tree]] = {}

    def text(self, tree: Tree) -> bytes:
        """The text of a tree, all that it refers to now being in the run's folder.

        Raises:
            RunDamaged: something that it refers to is missing or changed.
        """
        return self._values.fold(msgspec.json.encode(self._taken(tree)))

    def _taken(self, tree: Tree) -> Tree:
        match tree:
            case {"$": "artifact", "path": str() as path} if os.path.isabs(path):
                return self._artifact(Path(path), tree.get("sha256"))
            case {"$": "value", "file": str() as file} if os.path.isabs(file):
                return msgspec.json.decode(self._values.fold(read_folded(Path("/"), tree)))
            case {"$": "artifact" | "value" | "ndarray"}:
                return tree
            case dict():
                return {name: self._taken(value) for name, value in tree.items()}
            case list():
                return [self._taken(value) for value in tree] if any(isinstance(v, dict | list) for v in tree) else tree
            case _:
                return tree

    def _artifact(self, source: Path, sha256: str | None) -> dict[str, Tree]:
        try:
            stat = source.stat()
        except OSError as error:
            raise RunDamaged(f"{source}: {error.strerror}: it is an input of the run") from error
        seen = (str(source), stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if seen not in self._known or source.is_dir():
            stored = self._put(source)
            self._known[seen] = {
                "$": "artifact",
                "path": stored.key,
                "kind": stored.kind,
                "sha256": stored.sha256,
                "size": stored.size,
            }
        taken = self._known[seen]
        if sha256 is not None and taken["sha256"] != sha256:
            raise RunDamaged(f"{source}: its content has changed since it was recorded")
        return taken

    def _put(self, source: Path) -> Stored:
        try:
            return self._storage.put(source, lambda digest: artifact_key(digest, source.name))
        except OSError as error:
            raise RunDamaged(
                f"{error.filename or source}: {error.strerror}: it is needed for an input of the run"
            ) from error


def absolute(tree: Tree, root: Path) -> Tree:
    """The tree with what lies in the run folder `root` named by absolute paths."""
    match tree:
        case {"$": "artifact", "path": str() as path}:
            return tree | {"path": str(root / path)}
        case {"$": "value", "file": str() as file}:
            return tree | {"file": str(root / file)}
        case dict():
            return {name: absolute(value, root) for name, value in tree.items()}
        case list():
            return [absolute(value, root) for value in tree]
        case _:
            return tree


def needs_intake(tree: Tree) -> bool:
    """Whether a tree refers to files outside of the run."""
    match tree:
        case {"$": "artifact"}:
            return True
        case dict():
            return any(map(needs_intake, tree.values()))
        case list():
            return any(needs_intake(value) for value in tree if isinstance(value, dict | list))
        case _:
            return False
