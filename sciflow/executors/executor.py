"""The contract of every place where tasks run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from sciflow.core.job import Job, Need
from sciflow.core.records import Progress, Reply, TaskError


class Offer(msgspec.Struct, frozen=True):
    """What an executor would take now: one job of at most so many slices, 0 for none.

    `holds`: cores or memory are free, and too few of them; what comes later must not take them away, or a large task
    would wait for ever behind small ones.
    """

    slices: int
    holds: bool = False


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What to wait for before the next `poll`: file descriptors, a time; `calm` says that no news is urgent."""

    read: Sequence[int] = ()
    write: Sequence[int] = ()
    seconds: float | None = None
    calm: bool = False


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A task has ended; `worker` names the log files, `*_start` where in them its text begins."""

    reply: Reply
    worker: str
    stdout_start: int
    stderr_start: int
    followed: bool = False  # by another attempt, whatever the engine thinks of it


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """The process that ran a task died, or was ended because of a time limit: the end of the task."""

    number: int
    error: TaskError
    started: float
    seconds: float
    worker: str
    stdout: tuple[int, int]
    stderr: tuple[int, int]


def never_began(numbers: Iterable[int], error: TaskError) -> list[Died]:
    """The ends of tasks that no process ever saw."""
    now = time.time()
    nothing = (0, 0)
    return [
        Died(number=number, error=error, started=now, seconds=0.0, worker="", stdout=nothing, stderr=nothing)
        for number in numbers
    ]


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that were handed over and never began; to be handed over again."""

    numbers: Sequence[int]


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """An op's code was loaded where it runs, and by what parts it is known there; None if it cannot be loaded."""

    template: str
    identity: Mapping[str, str] | None


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """Files of the run that lay elsewhere are in the run folder now, or why not."""

    paths: Sequence[str]
    problem: str = ""


class Noticed(msgspec.Struct, frozen=True, kw_only=True):
    """What a person should know of the place: what is waited for. Empty: nothing any more."""

    text: str
    passing: bool = False  # shown to those who look, and neither printed nor written down


class Advanced(msgspec.Struct, frozen=True, kw_only=True):
    """How far tasks of a node are, where it is not told of each by itself; `number` is that of one of them."""

    number: int
    text: str = ""  # empty: nothing new
    begun: bool = True  # any of those that were handed over


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """Who carries out the run refuses to begin nothing more, or to end it: it goes on."""

    why: str
    ends: bool = False


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What was given for a suspended node, here or by somebody else; None: nothing could be given."""

    path: str
    text: bytes | None


class Steered(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody else has asked of the whole run, at its place.

    "pause" and "go on"; "stop": it ends, and what ran was let to its end; "kill": it ends, and what ran was ended;
    "leave": it cannot be followed from here as things are, and stays as it is.
    """

    level: Literal["pause", "go on", "stop", "kill", "leave"]
    why: str = ""
    exit_handler: bool = True  # it is run, or was, after "stop" and "kill"


Report: TypeAlias = (
    Ended | Died | Lost | Progress | Advanced | Identified | Brought | Noticed | Denied | Answered | Steered
)


class Executor(Protocol):
    """A place where tasks run. Not thread-safe; its methods never wait for a task."""

    outlives: bool  # its tasks go on without the engine, and the next one hears of their ends

    @property
    def throttles(self) -> bool:
        """Whether it sees to it that no more than `Job.parallelism` slices of a fan are at work, of all that it has."""

    @property
    def settled(self) -> bool:
        """Whether all is done that `cancel` and `withdraw` have asked for; an engine that ends its run waits for it."""

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """How large a job would be taken now of an op with `remaining` slices to go, of a fan's `at_once` together."""

    def submit(self, job: Job) -> None:
        """Takes a job; each of its tasks is reported once by `poll`, in any order.

        Of a job without tasks the code is loaded, and `Identified` is reported.

        Raises:
            ConfigError: the job can never run here (more cores than there are, an unknown image ...).
        """

    def watch(self) -> Watch:
        """What to wait for before the next `poll`."""

    def poll(self) -> list[Report]:
        """What has happened since the last call."""

    def fetch(self, paths: Sequence[str]) -> None:
        """Brings what tasks have left at this place to the same paths in the run folder; reported as `Brought`."""

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """Ends jobs: what runs is killed and reported as `Died` with `error`, the rest as `Lost`.

        What earlier engines have handed over and nobody has asked for yet is ended, too.
        """

    def withdraw(self) -> None:
        """Begins nothing more: tasks that wait for their turn are reported as `Lost`, what runs may end."""

    def close(self) -> None:
        """Gives everything back that the executor holds here."""


class Conductor(Protocol):
    """An executor that carries out whole runs: what it is to do next it knows without being told.

    It takes jobs as every executor does, and reports what becomes of them.
    """

    @property
    def settled(self) -> bool:
        """See `Executor`."""

    def begin(self, totals: Mapping[str, int], answers: Mapping[str, bytes]) -> None:
        """Has the run begin, or finds it as it is now.

        Args:
            totals: tasks of its own nodes, by id, as far as they are known.
            answers: what was given at suspended nodes before; an engine that has died may not have passed it on.
        """

    @property
    def informed(self) -> bool:
        """Whether all is reported that had happened there when the run was taken up."""

    def answer(self, path: str, text: bytes) -> None:
        """Lets a suspended node go on with the value given for it; reported as `Answered`."""

    def go_on(self) -> None:
        """Begins new tasks again after `withdraw`."""

    def end(self, *, exit_handler: bool, killed: bool, why: str) -> None:
        """Ends what runs; then the exit handler is run, if it is to be.

        `killed`: what ran is ended by this, and was not let to its end before; `why` is for whoever follows the run.
        """
