"""A worker and what it was handed; how its end is told."""

from __future__ import annotations

import signal
from collections import deque

import msgspec

from sciflow.core.job import Job, Need, job_of
from sciflow.core.records import TaskError
from sciflow.executors.worker_process import WorkerProcess


class Queued(msgspec.Struct, eq=False):
    """A job in a worker, and which of its tasks have not been reported."""

    job: Job
    left: deque[int]
    expected_s: float


class Worker(msgspec.Struct, eq=False):
    """A worker process and what it was handed."""

    process: WorkerProcess
    need: Need
    gpus: tuple[int, ...]
    known: set[int] = msgspec.field(default_factory=set)  # numbers of the ops it was told of
    loading: set[int] = msgspec.field(default_factory=set)  # those whose code it has not told about yet
    jobs: deque[Queued] = msgspec.field(default_factory=deque)
    stdout_at: int = 0
    stderr_at: int = 0
    doom: TaskError | None = None  # why it is being ended
    doomed: int = 0  # number of the task that the doom is for; 0: whatever it does
    unwanted: set[int] = msgspec.field(default_factory=set)  # cancelled jobs; if none, the doom is for what it does
    heard: bool = False  # it has said something

    @property
    def expected_s(self) -> float:
        """The work that it was handed."""
        return sum(queued.expected_s for queued in self.jobs)

    @property
    def short(self) -> bool:
        """Whether its tasks are so short that it was handed several at once."""
        return bool(self.jobs) and len(self.jobs[0].job.slices) > 1

    def fits(self, need: Need) -> bool:
        """Whether it has the surroundings that a job needs."""
        return self.need.resources == need.resources and self.need.env == need.env

    def meant(self, number: int) -> bool:
        """Whether its end is the end of the task that it was in, and not of one that had just begun."""
        if self.unwanted:
            return job_of(number) in self.unwanted
        return self.doomed in {0, number}


DESERTED = TaskError(
    kind="died",
    message="it closed descriptors that its process needs to go on; close only those that the op has opened",
)


def death(code: int | None) -> TaskError:
    """How a worker ended, from its exit code (negative: a signal)."""
    if code is None:
        return TaskError(kind="died", message="its process ended; how cannot be told where SIGCHLD is ignored")
    if code >= 0:
        return TaskError(kind="died", message=f"its process ended with exit code {code}", exit_code=code)
    name = signal.Signals(-code).name
    hint = ": out of memory, or killed from outside" if -code == signal.SIGKILL else ""
    return TaskError(kind="died", message=f"its process was killed by signal {-code} ({name}){hint}", signal=name)
