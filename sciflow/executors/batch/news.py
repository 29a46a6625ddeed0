"""What passes between an executor and the thread that speaks with its host: orders one way, news the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from sciflow.core.records import Loaded, Progress, Reply, TaskError
from sciflow.executors.batch.load import Load
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.verdict import Verdict
from sciflow.executors.containers.launch import Launch
from sciflow.executors.systems.system import Submission, SystemLimits

# --- orders


class Send(msgspec.Struct, kw_only=True, eq=False):
    """Bring a submission to the host and submit it."""

    record: BatchRecord
    submission: Submission
    load: Load
    code: Mapping[str, bytes]
    secrets: Mapping[str, str]
    launch: Launch | None = None  # in containers, which are to have the variables `environ`
    environ: Sequence[str] = ()

    def __repr__(self) -> str:
        """Without what it carries, secrets above all."""
        return f"Send({self.record.name!r}, secrets={sorted(self.secrets)})"


class Adopt(msgspec.Struct, kw_only=True, eq=False):
    """Look after a submission that an earlier engine made."""

    record: BatchRecord


class Cancel(msgspec.Struct, kw_only=True, eq=False):
    """End elements of submissions, and tell when that is done."""

    elements: Mapping[str, Sequence[int]]  # by submission


class Ask(msgspec.Struct, eq=False):
    """Find out what the batch system allows."""


class Withdraw(msgspec.Struct, eq=False):
    """Nothing more is to be begun: what waits is taken back, what runs may end."""


class Fetch(msgspec.Struct, kw_only=True, eq=False):
    """Bring files and folders of the run from the host."""

    paths: Sequence[str]


Order: TypeAlias = Ask | Send | Adopt | Cancel | Withdraw | Fetch


# --- news


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What an element has written since."""

    batch: str
    element: int
    replies: Sequence[Reply | Progress | Loaded]


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """An element has ended in order; what it did not get to is left to be handed over again."""

    batch: str
    element: int


class Condemned(msgspec.Struct, frozen=True, kw_only=True):
    """An element has ended without a word."""

    batch: str
    element: int
    verdict: Verdict


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A submission came to nothing."""

    batch: str
    error: TaskError


class Over(msgspec.Struct, frozen=True, kw_only=True):
    """All elements of a submission have ended, and how was told."""

    record: BatchRecord


class Withdrawn(msgspec.Struct, frozen=True):
    """Nothing more is begun, and what waited is taken back."""


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """Elements are ended, as was ordered."""

    elements: Mapping[str, Sequence[int]]


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """Files are here; of the others why not."""

    paths: Sequence[str]
    lost: Mapping[str, str]


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What the batch system allows."""

    limits: SystemLimits


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should know: what is waited for. Empty: nothing any more."""

    text: str
    passing: bool = False  # of use to somebody who looks now


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """The thread has come to an end that is nobody's fault but ours."""

    error: BaseException


News: TypeAlias = (
    Allowed | Heard | Closed | Condemned | Refused | Over | Withdrawn | Cancelled | Fetched | Notice | Broken
)
