"""The scheduler's journal, kept in the run's database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sciflow.core.records import Phase
from sciflow.engine.activation import NodeRun
from sciflow.engine.journal import Ending
from sciflow.engine.records_writer import Writer
from sciflow.engine.rows import PHASES, NodeRow, TaskValues

_encode = msgspec.json.encode


class DbJournal:
    """See `engine.journal.Journal`."""

    def __init__(self, db: Writer, *, first: bool) -> None:
        """`first`: this is the run's first session, nothing has ended before."""
        self._db = db
        self._first = first

    def number(self, path: str, template: str) -> int:
        """See `Journal`."""
        return self._db.number(path, template)

    def node(self, run: NodeRun) -> None:
        """See `Journal`."""
        total, succeeded = (run.tasks.total, run.tasks.succeeded) if run.tasks is not None else (None, None)
        error = None if run.error is None else _encode(run.error)
        template = run.node.template
        self._db.put_node(NodeRow(run.number, run.path, template, run.phase, total, succeeded, run.because, error))

    def task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:
        """See `Journal`."""
        self._db.put_task(_values(run.number, slice_, attempt, key, ending))

    def attempt(self, run: NodeRun, slice_: int, attempt: int, ending: Ending) -> None:
        """See `Journal`."""
        self._db.put_attempt(_values(run.number, slice_, attempt, None, ending))

    def ended(self, number: int) -> Sequence[tuple[int, Phase, bool, bool]]:
        """See `Journal`."""
        return () if self._first else self._db.ended(number)

    def output(self, number: int, slice_: int) -> bytes | None:
        """See `Journal`."""
        return self._db.output(number, slice_)

    def attempts(self, number: int) -> Sequence[tuple[int, int, int]]:
        """See `Journal`."""
        return () if self._first else self._db.tried(number)


def _values(number: int, slice_: int, attempt: int, key: str | None, ending: Ending) -> TaskValues:
    extra = None if ending.extra is None else _encode(ending.extra)
    return (
        number,
        slice_,
        PHASES[ending.phase],
        attempt,
        key,
        ending.output,
        ending.started,
        ending.seconds,
        ending.worker,
        *ending.stdout,
        *ending.stderr,
        extra,
        ending.cached or None,
    )
