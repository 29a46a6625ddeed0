"""Runs tasks as jobs of a batch system, on this machine or on one that a transport reaches.

Jobs that are handed over in the same moment and need the same become one array job, an element each. Their state is
kept in the run folder and on the host, so that they go on without this process; tasks that an earlier engine submitted
are taken up again when the scheduler hands them over once more.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.graph import Resources
from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, HostError, SciflowError
from sciflow.executors.batch.courier import Courier
from sciflow.executors.batch.farewell import Farewell
from sciflow.executors.batch.load import Load
from sciflow.executors.batch.news import (
    Adopt,
    Allowed,
    Ask,
    Broken,
    Cancel,
    Cancelled,
    Closed,
    Condemned,
    Fetch,
    Fetched,
    Heard,
    News,
    Notice,
    Over,
    Refused,
    Send,
    Withdraw,
    Withdrawn,
)
from sciflow.executors.batch.record import BatchRecord, batch_names, read_records, write_record
from sciflow.executors.batch.request import (
    Element,
    Surroundings,
    element_of,
    environment,
    submission_name,
    taken_back,
    task_names,
)
from sciflow.executors.batch.room import Room
from sciflow.executors.batch.supply import Supplier
from sciflow.executors.batch.underway import Told, Underway, given_back, refusals
from sciflow.executors.capacity import Capacity
from sciflow.executors.containers.box import Box
from sciflow.executors.containers.launch import Launch, launch_of
from sciflow.executors.executor import Brought, Noticed, Offer, Report, Watch
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.systems.system import Site, Submission, SystemLimits

CLOSING_S = 2.0  # for what is under way with the host when the engine ends


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor asks of every submission."""

    name: str
    site: Site
    elements: int  # at most, in the queue at once
    throttle: int | None = None  # elements of a submission that run at once
    walltime_s: float | None = None  # of a job whose op names none
    numbers_gpus: bool = False  # which GPUs a task has is said here, not by a batch system
    box: Box | None = None  # how containers are run


class BatchExecutor:
    """See `executors.executor.Executor`."""

    outlives = True  # its tasks go on without the engine

    def __init__(
        self,
        terms: Terms,
        courier: Courier,
        *,
        root: Path,
        around: Surroundings,
        code: Mapping[str, bytes],
        capacity: Capacity | None,
        is_over: Callable[[str, int], bool],
    ) -> None:
        """`capacity` is what the machine has, where no batch system counts it."""
        self._terms = terms
        self._courier = courier
        self._root = root
        self._around = around
        self._code = code
        self._room = Room(capacity)
        self._jobs_each = 2 if terms.box is None else 1  # of a fan, for a core: to start a container costs
        self._batches = set(batch_names(root, [terms.name]))
        self._supplier = Supplier(root, at=around.at, batches=self._batches)
        self._waiting: dict[tuple[Need, int, Launch | None], list[Element]] = {}
        self._underway = Underway(root, is_over=lambda task: is_over(task.path, task.attempt))
        self._farewell = Farewell(root)
        self._reports: list[Report] = []
        self._limits: SystemLimits | None = None  # what the batch system allows, once that is known
        self._asked = False
        self._withdrawing = False
        for record in read_records(root, terms.name):
            self._underway.add(record, shares=self._room.adopted(record))
            courier.order(Adopt(record=record))
        courier.start()

    # --- the contract

    def offer(self, need: Need, template: str, *, remaining: int) -> Offer:  # noqa: ARG002
        """See `Executor`."""
        if self._limits is None:
            self._ask()
            return Offer(0)
        most = min(self._terms.elements, self._limits.submitted or self._terms.elements)
        room = most - self._underway.elements - sum(map(len, self._waiting.values()))
        refusal = self._room.refusal(need.resources, remaining=remaining, unasked=self._underway.unasked)
        if refusal is not None:
            return refusal
        if room <= 0:
            return Offer(0)
        shares = room if self._room.cpus is None else min(room, self._jobs_each * self._room.cpus)
        return Offer(max(1, -(-remaining // shares)))

    def _ask(self) -> None:
        """Has the batch system asked what it allows, once, before anything is sized for it."""
        if not self._asked:
            self._asked = True
            self._courier.order(Ask())

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        fresh, reports = self._underway.adopt(job)
        self._reports += reports
        if fresh and not self._room.hold(job, fresh):
            self._put(job, fresh)

    def _put(self, job: Job, fresh: Sequence[int]) -> None:
        """Has tasks of a job wait for being sent, as an element."""
        level = max(job.attempts[position] for position in fresh) if _grows(job.need.resources) else 1
        try:
            self._room.check(job.need.resources, job.path)
            launch = launch_of(self._terms.box, job, gpus=() if self._room.is_counted else None, bundles=self._code)
        except ConfigError as error:
            self._reports += refusals(job, fresh, str(error))
            return
        gpus = self._room.take(job.need.resources)
        if self._room.is_counted:
            launch = launch and msgspec.structs.replace(launch, gpus=gpus)
        self._waiting.setdefault((job.need, level, launch), []).append(element_of(job, fresh, gpus))

    def watch(self) -> Watch:
        """See `Executor`."""
        return Watch(read=[self._courier.news.fd], seconds=0 if self._waiting or self._reports else None)

    def poll(self) -> list[Report]:
        """See `Executor`."""
        self._farewell.let_go()
        for (need, level, launch), elements in self._waiting.items():
            most = len(elements) if self._limits is None else self._limits.elements or len(elements)
            for begin in range(0, len(elements), most or 1):
                self._send(need, level, elements[begin : begin + most], launch)
        self._waiting.clear()
        for news in self._courier.news.take():
            self._reports += self._told(news)
        for held in self._room.due():
            self._put(held.job, held.positions)
        reports, self._reports = self._reports, []
        self._farewell.told(self._underway.early)
        return reports

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`."""
        jobs = set(jobs)
        self._reports += self._room.taken_back(jobs)
        self._reports += self._gone(given_back(taken_back(self._waiting, jobs)))
        elements = self._underway.condemn(jobs, error)
        if elements:
            self._courier.order(Cancel(elements=elements))

    def withdraw(self) -> None:
        """See `Executor`."""
        self._reports += self._room.taken_back()
        self._reports += self._gone(given_back([element for row in self._waiting.values() for element in row]))
        self._waiting.clear()
        if self._underway.elements:
            self._withdrawing = True
            self._courier.order(Withdraw())

    @property
    def settled(self) -> bool:
        """See `Executor`."""
        return not (self._withdrawing or self._underway.dooms)

    def close(self) -> None:
        """See `Executor`."""
        self._courier.close(CLOSING_S)

    def fetch(self, paths: Sequence[str]) -> None:
        """Brings files of the run home from the host; `Brought` is reported."""
        self._courier.order(Fetch(paths=paths))

    # --- sending

    def _send(self, need: Need, level: int, elements: Sequence[Element], launch: Launch | None) -> None:
        terms, name = self._terms, submission_name(self._terms.name)
        resources = grown(need.resources, level, walltime_s=terms.walltime_s)
        environ, secrets = environment(need)
        record = BatchRecord(
            name=name,
            executor=terms.name,
            elements=tuple(task_names(element.job, k) for k, element in enumerate(elements)),
            counted=need.resources,
            gpus=tuple(element.gpus for element in elements),
            memory_mb=resources.memory_mb,
            walltime_s=resources.walltime_s,
            grows=_grows(resources),
        )
        submission = Submission(
            name=name,
            folder="",
            elements=len(elements),
            throttle=terms.throttle,
            resources=resources,
            walltime_s=resources.walltime_s,
            site=terms.site,
            command=(),
            secrets=tuple(secrets),
        )
        write_record(self._root, record)
        self._batches.add(name)
        self._underway.add(record, elements)
        self._courier.order(
            Send(
                record=record,
                submission=submission,
                load=Load(
                    supplier=self._supplier,
                    elements=elements,
                    around=self._around,
                    need=need,
                    walltime_s=resources.walltime_s,
                    numbered=terms.numbers_gpus,
                ),
                code=self._code,
                secrets={carrier: resolve_secret(secret) for carrier, secret in secrets.items()},
                launch=launch and msgspec.structs.replace(launch, resources=resources),
                environ=tuple(environ),
            )
        )

    # --- what comes back

    def _told(self, news: News) -> Sequence[Report]:
        match news:
            case Allowed(limits=limits):
                self._limits = limits
                return []
            case Heard(batch=batch, element=element, replies=replies):
                return [report for reply in replies for report in self._underway.heard(batch, element, reply)]
            case Closed() | Condemned() | Refused() | Cancelled():
                return self._gone(self._underway.ended(news))
            case Over(record=record):
                self._farewell.over(record)
                return []
            case Withdrawn():
                self._withdrawing = False
                return []
            case Fetched(paths=paths, lost=lost):
                return [Brought(paths=paths), *(Brought(paths=[path], problem=why) for path, why in lost.items())]
            case Notice(text=text, passing=passing):
                return [Noticed(text=text, passing=passing)]
            case Broken(error=error):
                raise _defect(self._terms.name, error) from error

    def _gone(self, told: Told) -> Sequence[Report]:
        """Elements are at their end: what they held is free again."""
        self._room.give(told.freed)
        return told.reports


def _defect(name: str, error: BaseException) -> SciflowError:
    """What ends the run with what has ended the thread that speaks with the host."""
    if isinstance(error, SciflowError):
        return error
    at = traceback.extract_tb(error.__traceback__)[-1]
    return HostError(
        f"{name}: what looks after its jobs has ended: {type(error).__name__}: {error} ({at.filename}:{at.lineno})\n"
        "    fix:      `sciflow resume` goes on where it was; if it happens again it is a defect of sciflow: report it"
    )


def _grows(resources: Resources) -> bool:
    return resources.memory_growth > 1 or resources.walltime_growth > 1


def grown(resources: Resources, attempt: int, *, walltime_s: float | None) -> Resources:
    """What an attempt asks for; `walltime_s` is asked for where the op names none."""
    asked_s = resources.walltime_s or walltime_s
    return msgspec.structs.replace(
        resources,
        memory_mb=round(resources.memory_mb * resources.memory_growth ** (attempt - 1)),
        walltime_s=None if asked_s is None else asked_s * resources.walltime_growth ** (attempt - 1),
    )
