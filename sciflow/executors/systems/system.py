"""The contract of every batch system: text in, text out. It knows no connection; see `transports`.

Elements of a submission are numbered from 0 in our words. What index a system gives them is its own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.transports.transport import Output

T = TypeVar("T")


class State(Enum):
    """What a batch system says of a job or of one element of it."""

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIME_LIMIT = "time limit"
    OUT_OF_MEMORY = "out of memory"
    NODE_FAILURE = "node failure"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self not in {State.QUEUED, State.HELD, State.RUNNING}


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue or the accounting says of an element.

    `element` is None where it speaks of all elements of a job: it holds for those that have no line of their own.
    """

    job: str
    element: int | None = None
    name: str = ""
    state: State
    exit_code: int | None = None
    reason: str = ""  # the system's own word


class SystemLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a system says of itself; None where it does not."""

    version: str = ""
    elements: int | None = None  # of one submission
    submitted: int | None = None  # elements of one user in the queue at once
    throttles: bool = True  # a submission may say how many of its elements run at once
    queues: Mapping[str, str] = {}  # name -> what is worth knowing of it


class Part(msgspec.Struct, frozen=True):
    """Some elements of a job."""

    job: str
    elements: Sequence[int]


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a site asks of every job: defaults of an executor, in its settings."""

    queue: str = ""  # partition or queue
    account: str = ""
    qos: str = ""
    constraint: str = ""
    exclusive: bool = False
    extra: tuple[str, ...] = ()  # further directives as the system writes them, without its mark
    prologue: tuple[str, ...] = ()  # lines of shell before the runner is started: modules, environment


class Crew(msgspec.Struct, frozen=True, kw_only=True):
    """Elements that are run by one job: so many at once, of so many in all."""

    workers: int
    elements: int


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One array job."""

    name: str  # unique: by it a job is found whose id was never learned; begins with a letter, then also 0-9 _ . -
    folder: str  # on the host: script and captured output lie there
    elements: int  # jobs of the array
    throttle: int | None = None  # of them that run at once
    resources: Resources  # of one of them
    walltime_s: float | None = None
    site: Site
    command: tuple[str, ...]  # runs one element; its number is appended
    crew: Crew | None = None  # what one of them is, where it is more than one element
    secrets: tuple[str, ...] = ()  # variables of the submitting command that the job must have


class Command(msgspec.Struct, Generic[T], frozen=True):
    """A program to be run on the host, and the meaning of what it says."""

    argv: tuple[str, ...]
    parse: Callable[[Output], T]


class BatchSystem(Protocol):
    """Text functions in six verbs.

    `parse` raises `QueueUnavailable` where the system gives no answer now, and `HostRefused` where its programs are
    not there: an error is never taken for an empty queue.
    """

    @property
    def name(self) -> str:
        """As it stands in settings."""

    def script(self, submission: Submission) -> str:
        """The script of an array job."""

    def submit(self, script: str) -> Command[str]:
        """Submits the script at this path, and gives the job's id; run in the submission's folder.

        Its `parse` raises `SubmissionRefused`, or `QueueFull` where the same may be taken later. After
        `QueueUnavailable` nobody knows whether the job was taken: `queue` shows it by its name.
        """

    def queue(self) -> Command[Sequence[JobState]]:
        """All of this user's jobs that are queued or running."""

    def accounting(self, jobs: Sequence[str]) -> Command[Sequence[JobState]]:
        """What is recorded of jobs, those that have left the queue too."""

    def cancel(self, jobs: Sequence[str | Part]) -> Command[None]:
        """Ends jobs or some of their elements; those that have ended are no error."""

    def limits(self) -> Command[SystemLimits]:
        """Version and limits."""
