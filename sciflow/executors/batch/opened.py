"""The submissions of which something is still to come, as the one that looks after them knows them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sciflow.core.records import TaskError
from sciflow.executors.batch.doubts import Doubt
from sciflow.executors.batch.news import News, Refused, Send
from sciflow.executors.batch.record import BatchRecord, Stage, write_record
from sciflow.executors.batch.verdict import Verdict

NEVER = TaskError(kind="never", message="it was not submitted")


class Open(msgspec.Struct, kw_only=True, eq=False):
    """A submission of which something is to come."""

    record: BatchRecord
    send: Send | None = None  # what is still to be sent
    not_before: float = 0.0  # when to try to submit it again
    sought: bool = False  # of an earlier engine: whether the batch system has it is to be found out
    from_start: bool = False  # what it has said is to be told from the beginning
    ended: set[int] = msgspec.field(default_factory=set)
    doubts: dict[int, Doubt] = msgspec.field(default_factory=dict)
    damaged: dict[int, Verdict] = msgspec.field(default_factory=dict)  # what they wrote; they may still run
    stopped: bool = False  # it is to begin nothing more
    withdrawn: set[int] = msgspec.field(default_factory=set)  # elements that were taken back
    taken: list[int] = msgspec.field(default_factory=list)  # closed elements, to be told with the next look

    @property
    def due(self) -> bool:
        """Whether something is to be done now to have it submitted, or to find out whether it is."""
        return (self.sought or self.send is not None) and self.not_before <= time.monotonic()

    @property
    def unheard(self) -> list[int]:
        """The elements of whose end nothing was said yet."""
        return [k for k in range(len(self.record.elements)) if k not in self.ended and k not in self.doubts]


class Opened:
    """Those of one ward. How far each has come is written down before it is so here."""

    def __init__(self, here: Path, tell: Callable[[News], None], *, settled: Callable[[Open], None]) -> None:
        """`here` is the run folder; `settled` hears of a submission of which nothing more will come."""
        self._here = here
        self._tell = tell
        self._settled = settled
        self._by_name: dict[str, Open] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[Open]:
        """Those that there are now."""
        return list(self._by_name.values())

    def watched(self) -> list[Open]:
        """Those that the batch system has for sure."""
        return [batch for batch in self._by_name.values() if batch.send is None and not batch.sought]

    def add(self, batch: Open) -> None:
        """Another one."""
        self._by_name[batch.record.name] = batch

    def put_stage(self, batch: Open, stage: Stage, *, job: str | None = None) -> None:
        """How far a submission has come, and its id."""
        job = batch.record.job if job is None else job
        record = msgspec.structs.replace(batch.record, stage=stage, job=job)
        write_record(self._here, record)  # first: while the disk is full it is where it was
        batch.record = record

    def settle(self, batch: Open, stage: Stage = Stage.ENDED) -> None:
        """Nothing more will come of it."""
        self.put_stage(batch, stage)
        batch.send = None
        self._settled(batch)
        self._by_name.pop(batch.record.name, None)

    def refuse(self, batch: Open, error: TaskError) -> None:
        """Nothing of it was done, or is left."""
        self.settle(batch)
        self._tell(Refused(batch=batch.record.name, error=error))
