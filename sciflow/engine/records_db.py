"""A run's database as it is read, by any number of readers; `engine.records_writer` has its tables and writes them.

Phases are stored as numbers (see `engine.rows.PHASES`), outputs as JSON text of at most a few KiB: what is larger lies
in a file, and the text says where. All SQL on it stands in these two modules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sciflow.core.progress import Event
from sciflow.core.records import Phase
from sciflow.engine.db_errors import clear, read_only_uri
from sciflow.engine.rows import BY_NUMBER, PHASES, NodeRow, TaskRow, task_row
from sciflow.errors import RunDamaged

_TASK_COLUMNS = "slice, phase, attempt, key, output, started, seconds, worker, out0, out1, err0, err1, extra, cached"

FLAGGED = f"phase = {PHASES[Phase.SUCCEEDED]} AND coalesce(json_extract(CAST(extra AS TEXT), '$.flag'), '') <> ''"


def _connect(place: str) -> sqlite3.Connection:
    db = sqlite3.connect(place, uri=place.startswith("file:"), isolation_level=None, timeout=10)
    try:
        db.execute("SELECT 1 FROM fact LIMIT 1").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db


class Reader:
    """Reads a run's database, also while its engine writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise RunDamaged(f"{path}: no such file: not the folder of a run, or deleted")
        with clear(path):
            self._db = self._open(path)

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        """A connection that only reads; what a killed engine was about to write is taken back first."""
        try:
            return _connect(read_only_uri(path))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_READONLY_ROLLBACK":
                raise
            _connect(str(path)).close()
            return _connect(read_only_uri(path))

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with clear(self.path):
            return self._db.execute(sql, values).fetchall()

    def fact(self, name: str) -> bytes | None:
        """A fact of the run as stored."""
        rows = self._all("SELECT value FROM fact WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def text(self, name: str) -> str:
        """A fact of the run as text; empty if it is not known."""
        return (self.fact(name) or b"").decode()

    def nodes(self) -> list[NodeRow]:
        """Every node, in the order in which they came up."""
        sql = "SELECT id, path, template, phase, total, succeeded, because, error FROM node ORDER BY id"
        return [
            NodeRow(number, path, template, BY_NUMBER[phase], total, succeeded, because or "", error)
            for number, path, template, phase, total, succeeded, because, error in self._all(sql)
        ]

    def tasks(self, node: int, *, phase: Phase | None = None, slice_: int | None = None) -> list[TaskRow]:
        """The ended tasks of a node, in the order of its slices."""
        sql = f"SELECT node, {_TASK_COLUMNS} FROM task WHERE node = ?"
        values: list[object] = [node]
        if phase is not None:
            sql, values = sql + " AND phase = ?", [*values, PHASES[phase]]
        if slice_ is not None:
            sql, values = sql + " AND slice = ?", [*values, slice_]
        return [task_row(row) for row in self._all(sql + " ORDER BY slice", values)]

    def keys(self) -> dict[str, str]:
        """The keys of tasks that have ended, with the tasks' paths."""
        rows = self._all("SELECT key, path, slice FROM task, node WHERE key IS NOT NULL AND node = id")
        return {key: path if slice_ < 0 else f"{path}/{slice_}" for key, path, slice_ in rows}

    def last_end(self) -> float | None:
        """When the last task ended by its own clock; None: none has. Of what nobody ran it is not known."""
        ((found,),) = self._all("SELECT MAX(started + seconds) FROM task WHERE worker != ''")
        return found or None

    def attempts(self, node: int, slice_: int) -> list[TaskRow]:
        """The earlier attempts of a task."""
        sql = f"SELECT node, {_TASK_COLUMNS} FROM attempt WHERE node = ? AND slice = ? ORDER BY attempt, started"
        return [task_row(row) for row in self._all(sql, (node, slice_))]

    def outputs(self, node: int) -> Iterator[tuple[int, bytes | None]]:
        """(slice, output text) of the succeeded tasks of a node, in order, without holding all of them."""
        with clear(self.path):
            yield from self._db.execute(
                "SELECT slice, output FROM task WHERE node = ? AND phase = ? ORDER BY slice",
                (node, PHASES[Phase.SUCCEEDED]),
            )

    def failed(self, most: int) -> list[TaskRow]:
        """The tasks that failed, the first ones by time."""
        failed = f"{PHASES[Phase.FAILED]}, {PHASES[Phase.ERROR]}"
        sql = f"SELECT node, {_TASK_COLUMNS} FROM task WHERE phase IN ({failed}) ORDER BY started, slice LIMIT ?"
        return [task_row(row) for row in self._all(sql, (most,))]

    def flagged(self, most: int) -> list[TaskRow]:
        """The tasks that succeeded and are flagged, in the order of nodes and slices."""
        sql = f"SELECT node, {_TASK_COLUMNS} FROM task WHERE {FLAGGED} ORDER BY node, slice LIMIT ?"
        return [task_row(row) for row in self._all(sql, (most,))]

    def events(self) -> list[Event]:
        """What happened to the run, the oldest first."""
        rows = self._all("SELECT time, kind, text FROM event ORDER BY time, rowid")
        return [Event(time=time, kind=kind, text=text) for time, kind, text in rows]

    def counts(self) -> list[tuple[int, Phase, int]]:
        """(node, phase, number of ended tasks)."""
        rows = self._all("SELECT node, phase, count(*) FROM task GROUP BY node, phase")
        return [(node, BY_NUMBER[phase], n) for node, phase, n in rows]

    def is_over(self, path: str, attempt: int) -> bool:
        """Whether the end of that attempt of a task is recorded."""
        above, _, last = path.rpartition("/")
        sql = (
            "SELECT 1 FROM node JOIN (SELECT node, slice, attempt FROM task UNION ALL SELECT node, slice, attempt FROM "
            "attempt) a ON a.node = node.id WHERE path = ? AND slice = ? AND attempt >= ? LIMIT 1"
        )
        return bool(
            self._all(sql, (path, -1, attempt)) or (last.isdigit() and self._all(sql, (above, int(last), attempt)))
        )
