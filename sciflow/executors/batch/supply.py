"""What a submission needs on the host, and what of it must be brought there: files by their content, values, code.

Files that ops made on that host are there already, under the path that they have in the run folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TypeAlias

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.job import Job
from sciflow.core.trees import with_inner, with_parts
from sciflow.executors.batch.record import read_cleared
from sciflow.runner.hashing import file_hash
from sciflow.runner.packs import read_stored

REFERENCES = (b'"$":"artifact"', b'"$":"value"')


Facts: TypeAlias = tuple[int, int, int]  # inode, size, time of the last change, ns: equal if nobody wrote meanwhile


class Supply(msgspec.Struct, kw_only=True, eq=False):
    """Contents by hash, and the paths under the run's root where each is needed."""

    files: dict[str, Path | bytes] = msgspec.field(default_factory=dict)
    links: dict[str, set[str]] = msgspec.field(default_factory=dict)
    folders: set[str] = msgspec.field(default_factory=set)  # empty ones too
    executable: set[str] = msgspec.field(default_factory=set)
    symlinks: dict[str, str] = msgspec.field(default_factory=dict)  # path -> what it says

    def add(self, sha256: str, source: Path | bytes, path: str) -> None:
        """A content that is needed under a path."""
        self.files.setdefault(sha256, source)
        self.links.setdefault(sha256, set()).add(path)


class Supplier:
    """Finds out what jobs need on the host."""

    def __init__(self, root: Path, *, at: str | None, batches: AbstractSet[str]) -> None:
        """`at`: the executor's name, by which files made there are marked, None if the run folder is there itself.

        `batches`: the executor's submissions, which name what was stored there.
        """
        self._root = root
        self._at = at
        self._batches = batches
        self._hashes: dict[str, tuple[Facts, str]] = {}  # by path: a file is hashed once for all submissions
        self._cleared = read_cleared(root)  # what they made was brought home, and lies there no more

    def code(self, supply: Supply) -> None:
        """Adds the run's own code: its script, and functions that are in no file."""
        if self._at is None:
            return
        for entry in os.scandir(self._root / "code"):
            self._file(f"code/{entry.name}", self._hash(f"code/{entry.name}"), supply)

    def localised(self, job: Job, supply: Supply) -> Job:
        """The job as the host is to have it; what it needs goes to `supply`."""
        texts = [job.fixed, *(text for row in job.elements for text in row)]
        if self._at is None or not any(mark in text for text in texts for mark in REFERENCES):
            return job
        return msgspec.structs.replace(
            job,
            fixed=self._text(job.fixed, supply),
            elements=[[self._text(text, supply) for text in row] for row in job.elements],
        )

    def _text(self, text: bytes, supply: Supply) -> bytes:
        if not any(mark in text for mark in REFERENCES):
            return text
        return msgspec.json.encode(self._tree(json.loads(text), supply))

    def _tree(self, tree: Tree, supply: Supply) -> Tree:
        def sent(part: dict[str, Tree]) -> Tree:
            match part:
                case {"$": "value"}:
                    return self._value(part, supply)
                case {"$": "artifact"}:
                    if part.get("at") != self._at or (self._cleared and (self._root / part["path"]).exists()):
                        self._artifact(part, supply)
                    return part
                case _:
                    return with_inner(part, sent)

        return with_parts(tree, sent)

    def _value(self, tree: Mapping[str, Tree], supply: Supply) -> Tree:
        """A stored value: a file of its own there, unless it was made there."""
        data = read_stored(str(self._root), tree)
        if any(mark in data for mark in REFERENCES):
            data = self._text(data, supply)
        elif self._made_there(tree["file"]):
            return tree
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"values/{sha256}"
        supply.add(sha256, data, path)
        return {"$": "value", "file": path, "at": 0, "size": len(data), "sha256": sha256}

    def _made_there(self, file: str) -> bool:
        batch = file.partition("/")[2].rpartition("-")[0]
        return batch in self._batches and batch not in self._cleared

    def _artifact(self, tree: Mapping[str, Tree], supply: Supply) -> None:
        path = tree["path"]
        if path in supply.folders:
            return
        if tree.get("kind") == "folder":
            self._folder(path, supply)
        else:
            self._file(path, str(tree["sha256"]), supply)

    def _file(self, path: str, sha256: str, supply: Supply) -> None:
        source = self._root / path
        supply.add(sha256, source, path)
        if source.stat().st_mode & 0o100:
            supply.executable.add(path)

    def _folder(self, path: str, supply: Supply) -> None:
        supply.folders.add(path)
        for entry in sorted(os.scandir(self._root / path), key=lambda entry: entry.name):
            inner = f"{path}/{entry.name}"
            if entry.is_symlink():
                supply.symlinks[inner] = os.readlink(entry.path)
            elif entry.is_dir():
                self._folder(inner, supply)
            else:
                self._file(inner, self._hash(inner), supply)

    def _hash(self, path: str) -> str:
        found = os.stat(self._root / path)
        facts = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._hashes.get(path)
        if known is None or known[0] != facts:
            known = self._hashes[path] = (facts, file_hash(str(self._root / path))[0])
        return known[1]
