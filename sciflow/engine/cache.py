"""Outcomes of earlier runs, found by content: same code, same inputs, same options, same needs.

One SQLite file per folder of runs. It holds outcomes as texts and the folder of the run that made them; files stay
there, and are taken into the new run on a hit. An entry whose run is gone is no hit.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import OpTemplate, Secret
from sciflow.core.job import Need
from sciflow.errors import RunDamaged

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    key BLOB PRIMARY KEY, op TEXT, code TEXT, inputs BLOB, options BLOB, needs TEXT,
    output BLOB, run TEXT, path TEXT, created REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_op ON entry (op, created);
CREATE TABLE IF NOT EXISTS code (hash TEXT PRIMARY KEY, parts BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (op TEXT PRIMARY KEY, needs TEXT) WITHOUT ROWID;
"""
_REFERS = (b'"$":"artifact"', b'"$":"value"')


class Hit(msgspec.Struct, frozen=True):
    """An outcome that was found."""

    output: bytes
    run: str
    path: str


class Fingerprint(msgspec.Struct, frozen=True):
    """What identifies an op's outcome, but for the inputs: made once per node, used for all its slices."""

    op: str
    code: str
    parts: Mapping[str, str]
    options: Mapping[str, Tree]
    fixed: Mapping[str, str]  # port -> hash
    columns: tuple[str, ...]
    base: bytes

    def key(self, elements: Sequence[bytes]) -> bytes:
        """The key of one task."""
        told = hashlib.blake2b(self.base, digest_size=20)
        for text in elements:
            told.update(b"\0%d\0" % len(text) if not _refers(text) else b"\0\0")
            told.update(canonical(text))
        return told.digest()

    def inputs(self, elements: Sequence[bytes]) -> dict[str, str]:
        """The hash of every input, for `explain`."""
        return dict(self.fixed) | {p: _hash(canonical(t)) for p, t in zip(self.columns, elements, strict=True)}


def _refers(text: bytes) -> bool:
    return any(mark in text for mark in _REFERS)


def canonical(text: bytes) -> bytes:
    """A value's text without where its parts are stored: artifacts by name and hash, stored values by hash."""
    return json.dumps(_canonical(json.loads(text)), separators=(",", ":")).encode() if _refers(text) else text


def _canonical(tree: Tree) -> Tree:
    match tree:
        case {"$": "artifact", "path": path, "sha256": sha256}:
            return {"$": "artifact", "name": path.rpartition("/")[2], "sha256": sha256}
        case {"$": "value", "sha256": sha256}:
            return {"$": "value", "sha256": sha256}
        case dict():
            return {name: _canonical(value) for name, value in tree.items()}
        case list():
            return [_canonical(value) for value in tree]
        case _:
            return tree


def _hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=10).hexdigest()


def code_hash(parts: Mapping[str, str]) -> str:
    """The one hash of an op's code."""
    return _hash(msgspec.json.encode(dict(sorted(parts.items()))))


def fingerprint(
    template: OpTemplate, parts: Mapping[str, str], need: Need, fixed: Mapping[str, bytes], columns: Sequence[str]
) -> Fingerprint:
    """What identifies the outcomes of one node's tasks.

    Of the options, those count that can change a result: image and plain environment variables. Cores, memory, time
    limits, retries and places do not.
    """
    env = {name: value for name, value in need.env if not isinstance(value, Secret)}
    options: dict[str, Tree] = {"image": need.image, "env": env}
    hashes = {port: _hash(canonical(text)) for port, text in sorted(fixed.items())}
    code = code_hash(parts)
    base = msgspec.json.encode([template.name, code, options, hashes, list(columns)])
    return Fingerprint(template.name, code, parts, options, hashes, tuple(columns), base)


class Cache:
    """The outcomes known in a folder of runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise RunDamaged(f"{path}: {error}: the cache can be deleted, it holds no results of its own") from error
        self._rows: list[tuple[object, ...]] = []
        self._codes: dict[str, bytes] = {}
        self._needs: dict[str, str] = {}

    def find(self, print_: Fingerprint, keys: Sequence[bytes]) -> dict[bytes, Hit]:
        """The hits among `keys`."""
        latest = self._db.execute("SELECT needs FROM latest WHERE op = ?", (print_.op,)).fetchone()
        needs = latest[0] if latest else ""
        found: dict[bytes, Hit] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            sql = f"SELECT key, output, run, path, needs FROM entry WHERE key IN ({','.join('?' * len(some))})"
            for key, output, run, path, needed in self._db.execute(sql, some):
                if needed == needs:
                    found[key] = Hit(output, run, path)
        return found

    def put(
        self,
        print_: Fingerprint,
        elements: Sequence[bytes],
        *,
        output: bytes,
        run: str,
        path: str,
        needs: Mapping[str, Tree],
    ) -> None:
        """Adds an outcome; written at the next `commit`."""
        told = json.dumps(dict(sorted(needs.items()))) if needs else ""
        inputs = msgspec.json.encode(print_.inputs(elements))
        options = msgspec.json.encode(print_.options)
        key = print_.key(elements)
        self._rows.append((key, print_.op, print_.code, inputs, options, told, output, run, path, time.time()))
        self._codes[print_.code] = msgspec.json.encode(print_.parts)
        self._needs[print_.op] = told

    def commit(self) -> None:
        """Writes what was put."""
        if not self._rows:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT OR REPLACE INTO entry VALUES (?,?,?,?,?,?,?,?,?,?)", self._rows)
        self._db.executemany("INSERT OR REPLACE INTO code VALUES (?,?)", self._codes.items())
        self._db.executemany("INSERT OR REPLACE INTO latest VALUES (?,?)", self._needs.items())
        self._db.execute("COMMIT")
        self._rows, self._codes, self._needs = [], {}, {}

    def nearest(self, print_: Fingerprint, elements: Sequence[bytes], *, besides: str = "") -> list[str]:
        """Why there is no hit: what differs from the entry of the same op that differs least, of another run."""
        rows = self._db.execute(
            "SELECT code, inputs, options, needs FROM entry WHERE op = ? AND run != ? ORDER BY created DESC LIMIT 1000",
            (print_.op, besides),
        ).fetchall()
        if not rows:
            return [f"no outcome of {print_.op} is known from another run"]
        ours = print_.inputs(elements)
        told = [self._differences(print_, ours, row) for row in rows]
        return min(told, key=len)

    def _differences(self, print_: Fingerprint, ours: Mapping[str, str], row: Sequence[object]) -> list[str]:
        code, inputs, options, _ = row
        told = []
        if code != print_.code:
            told += self._code_differences(print_, str(code))
        theirs = json.loads(inputs)  # type: ignore[arg-type]
        told += [f"input {p!r} differs" for p in ours if p in theirs and ours[p] != theirs[p]]
        told += [f"input {p!r} is new" for p in ours if p not in theirs]
        told += [f"input {p!r} is no longer given" for p in theirs if p not in ours]
        before = json.loads(options)  # type: ignore[arg-type]
        told += [f"option {n!r} differs" for n, v in print_.options.items() if before.get(n) != v]
        return told or ["what the op says it needs has changed (a program's version, a file it depends on)"]

    def _code_differences(self, print_: Fingerprint, code: str) -> list[str]:
        row = self._db.execute("SELECT parts FROM code WHERE hash = ?", (code,)).fetchone()
        parts = json.loads(row[0]) if row else {}
        names = {n for n in {*parts, *print_.parts} if parts.get(n) != print_.parts.get(n)}
        return [f"code of {', '.join(sorted(names)) or print_.op} changed"]

    def close(self) -> None:
        """Commits and lets go of the file."""
        try:
            self.commit()
        finally:
            self._db.close()
