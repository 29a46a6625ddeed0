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

from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, HostError, SciflowError
from sciflow.executors.batch.courier import Courier
from sciflow.executors.batch.crews import workers_of
from sciflow.executors.batch.farewell import Farewell
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
    Withdraw,
    Withdrawn,
)
from sciflow.executors.batch.record import batch_names, read_records
from sciflow.executors.batch.room import Room
from sciflow.executors.batch.sending import Terms, grows, made
from sciflow.executors.batch.supply import Supplier
from sciflow.executors.batch.underway import Told, Underway, given_back, refusals
from sciflow.executors.batch.waiting import Kind, Waiting
from sciflow.executors.capacity import Capacity
from sciflow.executors.containers.launch import launch_of
from sciflow.executors.executor import Brought, Noticed, Offer, Report, Watch
from sciflow.executors.request import Element, Surroundings, element_of
from sciflow.executors.systems.system import SystemLimits

CLOSING_S = 2.0  # for what is under way with the host when the engine ends


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
        self._waiting = Waiting()
        self._underway = Underway(root, is_over=lambda task: is_over(task.path, task.attempt))
        self._farewell = Farewell(root)
        self._reports: list[Report] = []
        self._limits: SystemLimits | None = None  # what the batch system allows, once that is known
        self._asked = False
        self._shares: dict[str, tuple[int, int]] = {}  # by op
        self._withdrawing = False
        for record in read_records(root, terms.name):
            self._underway.add(record, shares=self._room.adopted(record))
            courier.order(Adopt(record=record))
        courier.start()

    # --- the contract

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`."""
        if self._limits is None:
            self._ask()
            return Offer(0)
        most = min(self._terms.elements, self._limits.submitted or self._terms.elements)
        workers = workers_of(need.resources, self._terms.workers)
        room = most - -(-(self._underway.elements + len(self._waiting)) // workers)
        if at_once is not None:  # what only waits for others of its fan leaves half of the queue to the rest of the run
            held = -(-(self._underway.throttled + self._waiting.throttled) // workers)
            most = max(most // 2, at_once)
            room = min(room, most - held)
        refusal = self._room.refusal(need.resources, remaining=remaining, unasked=self._underway.unasked)
        if refusal is not None:
            return refusal
        if room <= 0:
            return Offer(0)
        if self._room.cpus is not None:
            return Offer(max(1, -(-remaining // min(room, self._jobs_each * self._room.cpus))))
        jobs = -(-remaining // workers)  # of one slice a worker
        each = min(-(-jobs // room), self._share(template, jobs, most))
        return Offer(max(1, min(remaining, workers * each)))

    def _share(self, template: str, jobs: int, most: int) -> int:
        """The most slices that a worker gets of a fan: as many as if the fan had the whole queue.

        That is settled when it begins, so that it is not squeezed into the few jobs for which there is room just then.
        """
        last, share = self._shares.get(template, (0, 0))
        if jobs > last:
            share = -(-jobs // most)
        self._shares[template] = (jobs, share)
        return share

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
        """Has tasks of a job wait for being sent, as an element, or as several of a crew."""
        level = max(job.attempts[position] for position in fresh) if grows(job.need.resources) else 1
        try:
            self._room.check(job.need.resources, job.path)
            launch = launch_of(self._terms.box, job, gpus=() if self._room.is_counted else None, bundles=self._code)
        except ConfigError as error:
            self._reports += refusals(job, fresh, str(error))
            return
        gpus = self._room.take(job.need.resources)
        if self._room.is_counted:  # by elements
            launch = launch and msgspec.structs.replace(launch, gpus=gpus)
        at_once = job.parallelism if self.throttles else None
        workers = 1 if self._room.is_counted else workers_of(job.need.resources, self._terms.workers, at_once)
        rows = [fresh[place::workers] for place in range(min(workers, len(fresh)))]
        fan = "" if at_once is None else job.path
        kind = Kind(need=job.need, level=level, launch=launch, fan=fan, at_once=at_once)
        self._waiting.put(kind, [element_of(job, row, gpus) for row in rows])

    def watch(self) -> Watch:
        """See `Executor`."""
        return Watch(read=[self._courier.news.fd], seconds=0 if self._waiting.fresh or self._reports else None)

    def poll(self) -> list[Report]:
        """See `Executor`."""
        self._farewell.let_go()
        for news in self._courier.news.take():
            self._reports += self._told(news)
        for kind, elements in self._waiting.due(most=self._most, at_work=self._underway.of_fan):
            self._send(kind, elements)
        for held in self._room.due():
            self._put(held.job, held.positions)
        reports, self._reports = self._reports, []
        self._farewell.told(self._underway.early)
        return reports

    def _most(self, need: Need) -> int | None:
        """Elements that a submission may have."""
        if self._limits is None or not self._limits.elements:
            return None
        return self._limits.elements * workers_of(need.resources, self._terms.workers)

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`."""
        jobs = set(jobs)
        self._reports += self._room.taken_back(jobs)
        self._reports += self._gone(given_back(self._waiting.taken_back(jobs)))
        elements = self._underway.condemn(jobs, error)
        if elements:
            self._courier.order(Cancel(elements=elements))

    def withdraw(self) -> None:
        """See `Executor`."""
        self._reports += self._room.taken_back()
        self._reports += self._gone(given_back(self._waiting.taken_back()))
        if self._underway.elements:
            self._withdrawing = True
            self._courier.order(Withdraw())

    @property
    def throttles(self) -> bool:
        """See `Executor`."""
        return self._limits is not None and self._limits.throttles and not self._room.is_counted

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

    def _send(self, kind: Kind, elements: Sequence[Element]) -> None:
        send = made(self._terms, kind, elements, around=self._around, supplier=self._supplier, code=self._code)
        self._batches.add(send.record.name)
        self._underway.add(send.record, elements)
        self._courier.order(send)

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
