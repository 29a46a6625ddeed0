"""Takes values from outside into a run: files are copied in, long values are folded.

A run stands by itself afterwards: its folder can be moved, and the user's files can change.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.trees import parts_of, with_inner, with_parts
from sciflow.engine.journal import Values
from sciflow.engine.values import read_folded
from sciflow.errors import RunDamaged
from sciflow.storage.directory import DirectoryStorage
from sciflow.storage.keys import artifact_key
from sciflow.storage.storage import Stored


class Intake:
    """Takes in for one run."""

    def __init__(self, root: Path, values: Values, *, mark: str = "") -> None:
        """`mark` sets its groups apart from those of others that take in for the same run on other machines."""
        self._root = root
        self._mark = mark
        self._values = values
        self._storage = DirectoryStorage(root)
        self._known: dict[tuple[str, int, int, int], dict[str, Tree]] = {}
        self._stored_first: dict[tuple[str, str], Stored] = {}  # by hash and name
        self._groups: list[str] = []
        self._number = 0  # of the last of them
        self._used: dict[str, int] = {}  # name -> in how many of the groups it is
        self._ready: dict[str, dict[str, Tree] | RunDamaged] = {}  # by source: taken in ahead, or why not
        self._lock = threading.Lock()

    def text(self, tree: Tree) -> bytes:
        """The text of a tree, all that it refers to now being in the run's folder.

        Raises:
            RunDamaged: something that it refers to is missing or changed.
        """
        return self._values.fold(msgspec.json.encode(self._taken(tree)))

    def take_ahead(self, tree: Tree) -> None:
        """Copies files for `text`, which finds them then; in a thread of its own, since they may be large."""
        for source, sha256 in files_of(tree):
            try:
                self._ready[source] = self._artifact(source, sha256)
            except RunDamaged as error:
                self._ready[source] = error

    def _taken(self, tree: Tree) -> Tree:
        def taken(part: dict[str, Any]) -> Tree:
            match part:
                case {"$": "artifact", "path": str() as path} if os.path.isabs(path):
                    return self._artifact(path, part.get("sha256"))
                case {"$": "value", "file": str() as file} if os.path.isabs(file):
                    return msgspec.json.decode(self._values.fold(read_folded(Path("/"), part)))
                case {"$": "artifact" | "value" | "ndarray"}:
                    return part
                case _:
                    return with_inner(part, taken)

        return with_parts(tree, taken)

    def _artifact(self, source: str, sha256: str | None) -> dict[str, Tree]:
        ready = self._ready.pop(source, None)
        if isinstance(ready, RunDamaged):
            raise ready
        if ready is not None and sha256 in (None, ready["sha256"]):
            return ready
        try:
            found = os.stat(source)
        except OSError as error:
            raise RunDamaged(f"{source}: {error.strerror}: it is an input of the run") from error
        seen = (source, found.st_ino, found.st_size, found.st_mtime_ns)
        taken = self._known.get(seen)
        if taken is None or stat.S_ISDIR(found.st_mode):
            taken = self._known[seen] = self._put(source)
        if sha256 is not None and taken["sha256"] != sha256:
            raise RunDamaged(f"{source}: its content has changed since it was recorded")
        return taken

    def _put(self, source: str) -> dict[str, Tree]:
        if f"{self._root.resolve()}/".startswith(f"{os.path.realpath(source)}/"):
            raise RunDamaged(
                f"{source}: this folder holds the run itself, and would be copied into itself\n"
                "    fix:      give a folder of its own, or another folder for runs (--runs)"
            )
        try:
            stored = self._stored(source, _name(source))
        except OSError as error:
            raise RunDamaged(
                f"{error.filename or source}: {error.strerror}: it is needed for an input of the run"
            ) from error
        taken = {"path": stored.key, "kind": stored.kind, "sha256": stored.sha256, "size": stored.size}
        return {"$": "artifact", **taken}

    def _stored(self, source: str, name: str) -> Stored:
        """The file or folder where it lies in the run; of several with one name and content, the first."""
        while True:
            with self._lock:
                key = self._free_key(name)
            try:
                stored = self._storage.put_unseen(source, key)
            except FileExistsError as error:  # by a name that the file system takes for the same
                if error.filename != f"{self._root}/{key}":
                    raise
                continue
            with self._lock:
                first = self._stored_first.setdefault((stored.sha256, name), stored)
                if first is not stored:
                    self._storage.delete(key)
                    self._used[name] -= 1
            return first

    def _free_key(self, name: str) -> str:
        """A key in the first of this intake's groups where the name is free; nobody else writes to these."""
        used = self._used.get(name, 0)
        if used == len(self._groups):
            self._groups.append(self._new_group())
        self._used[name] = used + 1
        return artifact_key(self._groups[used], name)

    def _new_group(self) -> str:
        """What an earlier session has left, whole or not, lies in groups of its own."""
        while True:
            self._number += 1
            group = f"{self._number}{self._mark}"
            folder = os.path.dirname(f"{self._root}/{artifact_key(group, 'name')}")
            try:
                os.mkdir(folder)
            except FileExistsError:
                continue
            return group


def _name(source: str) -> str:
    name = os.path.basename(source)
    return name if name not in ("", ".", "..") else os.path.basename(os.path.realpath(source)) or "folder"


def absolute(tree: Tree, root: Path) -> Tree:
    """The tree with what lies in the run folder `root` named by absolute paths."""

    def named(part: dict[str, Any]) -> Tree:
        match part:
            case {"$": "artifact", "path": str() as path}:
                return part | {"path": str(root / path)}
            case {"$": "value", "file": str() as file}:
                return part | {"file": str(root / file)}
            case _:
                return with_inner(part, named)

    return with_parts(tree, named)


def files_of(tree: Tree) -> Iterator[tuple[str, str | None]]:
    """The absolute path, and the hash if that is known, of each file and folder outside of the run."""
    for part in parts_of(tree):
        match part:
            case {"$": "artifact", "path": str() as path} if os.path.isabs(path):
                yield path, part.get("sha256")
