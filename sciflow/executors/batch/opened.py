"""A submission of which something is still to come, as the one that looks after it knows it."""

from __future__ import annotations

import time

import msgspec

from sciflow.executors.batch.doubts import Doubt
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.verdict import Verdict


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
