"""Outcomes of earlier runs, found by content: same code, same inputs, same options, same needs.

One SQLite file per folder of runs. It holds outcomes as texts and the folder of the run that made them; files stay
there, and are taken into the new run on a hit. An entry whose run is gone is no hit.

What an op said it needs (`context().needs`) is compared name by name: an entry holds as long as each of its needs has
the value that the same op stated last, in whichever run and for whichever inputs. A need of which one session of a run
has stated several values depends on the inputs, and says nothing about outcomes for other inputs: it is not compared.

A cache that cannot be read or written is told once, and gives and keeps nothing. It never ends a run.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.core.records import Extra
from sciflow.engine.fingerprint import Fingerprint
from sciflow.storage.mounts import on_network

VERSION = 2
RETRY_S = 5.0  # between attempts to write while another program holds the file
_SCHEMA = """
DROP TABLE IF EXISTS entry; DROP TABLE IF EXISTS code; DROP TABLE IF EXISTS latest;
CREATE TABLE entry (
    key BLOB PRIMARY KEY, op TEXT, code TEXT, inputs BLOB, options BLOB, extra BLOB,
    output BLOB, run TEXT, path TEXT, created REAL) WITHOUT ROWID;
CREATE INDEX entry_op ON entry (op, created);
CREATE TABLE code (hash TEXT PRIMARY KEY, parts BLOB) WITHOUT ROWID;
CREATE TABLE latest (place TEXT, name TEXT, value TEXT, varies INTEGER, PRIMARY KEY (place, name)) WITHOUT ROWID;
"""
_TOLD_LAST = (
    "INSERT INTO latest VALUES (?,?,?,?) ON CONFLICT (place, name) "
    "DO UPDATE SET value = excluded.value, varies = max(varies, excluded.varies)"
)
_EXTRA = msgspec.json.Decoder(Extra)

Latest = Mapping[str, tuple[str, bool]]  # need -> its value as text, and whether it depends on the inputs


class Hit(msgspec.Struct, frozen=True):
    """An outcome that was found."""

    output: bytes
    run: str
    path: str
    extra: Extra | None = None


class Cache:
    """The outcomes known in a folder of runs."""

    def __init__(self, path: Path, *, warn: Callable[[str], None], write: bool = True) -> None:
        """Opens the file, or makes it; without `write` nothing is made or changed."""
        self._path = path
        self._warn = warn
        self._warned = False
        self._write = write
        self._db: sqlite3.Connection | None = None
        self._next_try = 0.0
        self._rows: list[tuple[object, ...]] = []
        self._codes: dict[str, bytes] = {}
        self._needs: dict[tuple[str, str], tuple[str, bool]] = {}  # to be written
        self._stated: dict[tuple[str, str], tuple[str, bool]] = {}  # in this session
        try:
            self._db = _opened(path) if write else _opened_to_read(path)
        except (sqlite3.Error, OSError) as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            fix = "if that goes on, delete the file: it holds no results of its own"
            self._warn(f"the cache {self._path} is not used: {error}; {fix}")

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """The rows; none where the file cannot be read."""
        if self._db is None:
            return []
        try:
            self._db.execute("PRAGMA busy_timeout = 5000")
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            self._tell(error)
            return []

    # --- looking up

    def find(self, print_: Fingerprint, keys: Sequence[bytes]) -> dict[bytes, Hit]:
        """The hits among `keys`."""
        latest = self._latest(print_)
        found: dict[bytes, Hit] = {}
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            sql = f"SELECT key, output, run, path, extra FROM entry WHERE key IN ({','.join('?' * len(some))})"
            for key, output, run, path, told in self._all(sql, some):
                extra = _EXTRA.decode(told) if told else None  # type: ignore[arg-type]
                if extra is None or not _outdated(extra, latest):
                    found[key] = Hit(output, run, path, extra)  # type: ignore[index, arg-type]
        return found

    def _latest(self, print_: Fingerprint) -> Latest:
        rows = self._all("SELECT name, value, varies FROM latest WHERE place = ?", (print_.place,))
        return {str(name): (str(value), bool(varies)) for name, value, varies in rows}

    # --- learning

    def put(
        self,
        print_: Fingerprint,
        elements: Sequence[bytes],
        *,
        output: bytes,
        run: str,
        path: str,
        extra: Extra | None,
    ) -> None:
        """Adds an outcome; written at the next `commit`."""
        if self._db is None:
            return
        told = None
        if extra is not None and (extra.facts or extra.needs or extra.flag):
            told = msgspec.json.encode(Extra(facts=extra.facts, needs=extra.needs, flag=extra.flag))
            self._state(print_.place, extra)
        inputs = msgspec.json.encode(print_.inputs(elements))
        options = msgspec.json.encode(print_.options)
        key = print_.key(elements)
        self._rows.append((key, print_.op, print_.code, inputs, options, told, output, run, path, time.time()))
        if print_.code not in self._codes:
            self._codes[print_.code] = msgspec.json.encode(print_.parts)

    def _state(self, place: str, extra: Extra) -> None:
        for name, value in extra.needs.items():
            text = _text(value)
            before, varies = self._stated.get((place, name), (text, False))
            self._stated[place, name] = self._needs[place, name] = (text, varies or before != text)

    def commit(self, *, patience_ms: int = 200) -> None:
        """Writes what was put; if another program holds the file, the next time."""
        if not self._rows or self._db is None or time.monotonic() < self._next_try:
            return
        try:
            self._db.execute(f"PRAGMA busy_timeout = {patience_ms}")
            self._add(self._db)
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if "locked" in str(error):
                self._next_try = time.monotonic() + RETRY_S
                return
            self._tell(error)
        self._rows, self._codes, self._needs = [], {}, {}

    def _add(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO entry VALUES (?,?,?,?,?,?,?,?,?,?)", self._rows)
        db.executemany("INSERT OR REPLACE INTO code VALUES (?,?)", self._codes.items())
        db.executemany(_TOLD_LAST, [(*of, *told) for of, told in self._needs.items()])
        db.execute("COMMIT")

    # --- explaining

    def nearest(self, print_: Fingerprint, elements: Sequence[bytes], *, besides: str = "") -> list[str]:
        """Why there is no hit: what differs from the entry of the same op that differs least, of another run."""
        rows = self._all(
            "SELECT code, inputs, options, extra FROM entry WHERE op = ? AND run != ? ORDER BY created DESC LIMIT 1000",
            (print_.op, besides),
        )
        if not rows:
            return [f"no outcome of {print_.op} is known from another run"]
        ours, latest = print_.inputs(elements), self._latest(print_)
        told = [self._differences(print_, ours, latest, row) for row in rows]
        return min(told, key=len)

    def _differences(
        self, print_: Fingerprint, ours: Mapping[str, str], latest: Latest, row: Sequence[object]
    ) -> list[str]:
        code, inputs, options, extra = row
        told = []
        if code != print_.code:
            told += self._code_differences(print_, str(code))
        told += _input_differences(ours, json.loads(inputs))  # type: ignore[arg-type]
        before = json.loads(options)  # type: ignore[arg-type]
        told += [f"option {n!r} differs" for n, v in print_.options.items() if before.get(n) != v]
        outdated = _outdated(_EXTRA.decode(extra), latest) if extra else []  # type: ignore[arg-type]
        told += [f"what it needs has changed: {name!r}" for name in outdated]
        return told or ["the outcome that is known cannot be taken: its files or its run are gone, or it came later"]

    def _code_differences(self, print_: Fingerprint, code: str) -> list[str]:
        rows = self._all("SELECT parts FROM code WHERE hash = ?", (code,))
        parts = json.loads(rows[0][0]) if rows else {}  # type: ignore[arg-type]
        names = {n for n in {*parts, *print_.parts} if parts.get(n) != print_.parts.get(n)}
        return [f"code of {', '.join(sorted(names)) or print_.op} changed"]

    def close(self) -> None:
        """Commits and lets go of the file, which then stands by itself."""
        if self._db is None:
            return
        self._next_try = 0.0
        self.commit(patience_ms=5000)
        if self._rows:
            self._tell(sqlite3.OperationalError("another program holds it; what this run has found is not in it"))
        with suppress(sqlite3.Error):  # others have it open
            if self._write:
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()


def _input_differences(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    told = [f"input {p!r} differs" for p in ours if p in theirs and ours[p] != theirs[p]]
    told += [f"input {p!r} is new" for p in ours if p not in theirs]
    return told + [f"input {p!r} is no longer given" for p in theirs if p not in ours]


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        network = on_network(path.parent)
        if not network:
            with suppress(sqlite3.OperationalError):  # somebody writes: it stays as it is
                db.execute("PRAGMA busy_timeout = 200")
                db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if network else 'NORMAL'}")
        db.execute("PRAGMA busy_timeout = 5000")
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _opened_to_read(path: Path) -> sqlite3.Connection | None:
    """None: there is nothing to read."""
    if not path.exists():
        return None
    text = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    db = sqlite3.connect(f"file:{text}?mode=ro", uri=True, isolation_level=None, timeout=5)
    try:
        same = db.execute("PRAGMA user_version").fetchone()[0] == VERSION
    except sqlite3.Error:
        db.close()
        raise
    if not same:
        db.close()
    return db if same else None


def _outdated(extra: Extra, latest: Latest) -> list[str]:
    """The needs that were stated otherwise since."""
    return [
        name
        for name, value in extra.needs.items()
        if name in latest and not latest[name][1] and latest[name][0] != _text(value)
    ]


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
