"""A run's database as the run's engine writes it, its only writer.

Rows are collected and written in one transaction per `commit`, so that durability costs little.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

from sciflow.core.records import BAD, Phase
from sciflow.engine.db_errors import clear
from sciflow.engine.patience import Insist, at_once
from sciflow.engine.records_db import FLAGGED, Reader
from sciflow.engine.rows import BY_NUMBER, PHASES, NodeRow, TaskValues

VERSION = 1
HELD_S = 10.0  # for which SQLite itself waits for who holds the database
_BAD = ",".join(str(PHASES[phase]) for phase in Phase if phase in BAD)

_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE node (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, template TEXT NOT NULL, phase INTEGER NOT NULL,
    total INTEGER, succeeded INTEGER, because TEXT, error BLOB);
CREATE TABLE task (
    node INTEGER, slice INTEGER, phase INTEGER, attempt INTEGER, key TEXT, output BLOB, started REAL, seconds REAL,
    worker TEXT, out0 INTEGER, out1 INTEGER, err0 INTEGER, err1 INTEGER, extra BLOB, cached TEXT,
    PRIMARY KEY (node, slice)) WITHOUT ROWID;
CREATE TABLE attempt (
    node INTEGER, slice INTEGER, phase INTEGER, attempt INTEGER, key TEXT, output BLOB, started REAL, seconds REAL,
    worker TEXT, out0 INTEGER, out1 INTEGER, err0 INTEGER, err1 INTEGER, extra BLOB, cached TEXT, retried INTEGER);
CREATE INDEX attempt_task ON attempt (node, slice);
CREATE INDEX task_key ON task (key) WHERE key IS NOT NULL;
CREATE TABLE event (time REAL, kind TEXT, text TEXT);
"""


class Writer(Reader):
    """Reads and writes a run's database; one per run at a time, guarded by the run's lock."""

    def __init__(self, path: Path, *, full: bool, network: bool = False, hidden: bool = False) -> None:
        """`hidden`: nobody else knows of the file yet, and one that is left unfinished is of no use to anybody."""
        self.path = path
        journal = "MEMORY" if hidden else "DELETE" if network else "WAL"
        with clear(path):
            self._db = sqlite3.connect(path, isolation_level=None, timeout=HELD_S, check_same_thread=False)
            self._db.execute(f"PRAGMA journal_mode = {journal}")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if full or network else 'NORMAL'}")
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        self._tasks: list[TaskValues] = []
        self._attempts: list[TaskValues] = []
        self._nodes: dict[int, tuple[object, ...]] = {}
        self._facts: dict[str, bytes] = {}
        self._events: list[tuple[float, str, str]] = []
        self.insist: Insist = at_once  # how it goes about writing
        self._numbers: dict[str, int] = dict(self._all("SELECT path, id FROM node"))

    def number(self, path: str, template: str) -> int:
        """A node's number, a new one if it has none."""
        number = self._numbers.get(path)
        if number is None:
            number = self._numbers[path] = len(self._numbers) + 1
            self._nodes[number] = (number, path, template, PHASES[Phase.PENDING], None, None, None, None)
        return number

    def put_node(self, row: NodeRow) -> None:
        """Writes a node's row anew."""
        id_, phase = row.id, PHASES[row.phase]
        because = row.because or None
        self._nodes[id_] = (id_, row.path, row.template, phase, row.total, row.succeeded, because, row.error)

    def put_task(self, values: TaskValues) -> None:
        """Adds a task's end."""
        self._tasks.append(values)

    def put_attempt(self, values: TaskValues) -> None:
        """Adds an attempt that another follows."""
        self._attempts.append(values)

    def put_fact(self, name: str, value: bytes | str) -> None:
        """Sets a fact of the run."""
        self._facts[name] = value.encode() if isinstance(value, str) else value

    def put_event(self, time: float, kind: str, text: str) -> None:
        """Adds an event."""
        self._events.append((time, kind, text))

    def commit(self) -> None:
        """Writes all that was put, whole or not at all."""
        if not (self._tasks or self._nodes or self._facts or self._attempts or self._events):
            return
        with clear(self.path):
            self.insist(self._write)
        self._tasks, self._attempts, self._nodes, self._facts, self._events = [], [], {}, {}, []

    def _write(self) -> None:
        many = self._db.executemany
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._nodes:
                many("INSERT OR REPLACE INTO node VALUES (?,?,?,?,?,?,?,?)", self._nodes.values())
            if self._tasks:
                many("INSERT OR REPLACE INTO task VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", self._tasks)
            if self._attempts:
                many("INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)", self._attempts)
            if self._facts:
                many("INSERT OR REPLACE INTO fact VALUES (?,?)", self._facts.items())
            if self._events:
                many("INSERT INTO event VALUES (?,?,?)", self._events)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def outputs(self, node: int) -> Iterator[tuple[int, bytes | None]]:
        """See `Reader.outputs`; sees what was put and is not committed too."""
        self.commit()
        return super().outputs(node)

    def ended(self, node: int) -> list[tuple[int, Phase, bool, bool]]:
        """(slice, phase, whether cached, whether flagged) of a node's ended tasks."""
        sql = f"SELECT slice, phase, cached IS NOT NULL, {FLAGGED} FROM task WHERE node = ? ORDER BY slice"
        rows = self._all(sql, (node,))
        return [(slice_, BY_NUMBER[phase], bool(cached), bool(flag)) for slice_, phase, cached, flag in rows]

    def has_ended(self, path: str) -> bool:
        """Whether a task of the node with that path has ended."""
        return bool(self._all("SELECT 1 FROM task, node WHERE node = id AND path = ? LIMIT 1", (path,)))

    def tried(self, node: int) -> list[tuple[int, int, int]]:
        """(slice, attempts, those of them before the last retry of the run) of a node's tasks that have not ended."""
        sql = (
            "SELECT slice, max(attempt), max(attempt * retried) FROM attempt a WHERE node = ? AND NOT EXISTS "
            "(SELECT 1 FROM task t WHERE t.node = a.node AND t.slice = a.slice) GROUP BY slice"
        )
        return self._all(sql, (node,))

    def output(self, node: int, slice_: int) -> bytes | None:
        """The output text of one task."""
        rows = self._all("SELECT output FROM task WHERE node = ? AND slice = ?", (node, slice_))
        return rows[0][0] if rows else None

    def reopen(self) -> int:
        """Takes back the end of every failed, error and omitted task, keeping it as an attempt; how many there were.

        But for what a node that succeeded has put up with: what comes after it has ended with what it was given.
        """
        self.commit()
        nodes = [(number,) for number in self._unmet()]
        with clear(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            bad = f"node = ? AND phase IN ({_BAD})"
            self._db.executemany(f"INSERT INTO attempt SELECT *, 1 FROM task WHERE {bad}", nodes)
            self._db.execute("UPDATE attempt SET retried = 1")  # none of them counts against the retries to come
            gone = self._db.executemany(f"DELETE FROM task WHERE {bad}", nodes).rowcount
            omitted = self._db.executemany(
                f"UPDATE node SET phase = 0 WHERE id = ? AND phase IN ({_BAD})", nodes
            ).rowcount
            self._db.execute("COMMIT")
        return max(gone, omitted)

    def _unmet(self) -> list[int]:
        """The nodes that have not succeeded and lie in none that has."""
        nodes = self.nodes()
        met = {node.path for node in nodes if node.phase is Phase.SUCCEEDED}
        return [node.id for node in nodes if met.isdisjoint(accumulate(node.path.split("/"), "{}/{}".format))]

    def forget(self, path: str) -> None:
        """Takes back the end of a node and of all below it."""
        self.commit()
        with clear(self.path):
            like = path.replace("%", "") + "/%"
            self._db.execute(
                "DELETE FROM task WHERE node IN (SELECT id FROM node WHERE path = ? OR path LIKE ?)", (path, like)
            )

    def start_over(self) -> None:
        """Forgets what has become of the run, but for the events: it is going to be told again."""
        self.commit()
        with clear(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            for table in ("task", "attempt", "node"):
                self._db.execute(f"DELETE FROM {table}")
            names = "'live', 'result', 'ended', 'idle', 'message', 'because', 'exit-phase'"
            self._db.execute(f"DELETE FROM fact WHERE name IN ({names})")
            self._db.execute("COMMIT")
        self._numbers = {}

    def close(self) -> None:
        """Lets go of the file, which then stands by itself: no log beside it, readable in a copy."""
        with suppress(sqlite3.Error):  # a reader has it open, or the disk is full: the next writer does it
            self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()
