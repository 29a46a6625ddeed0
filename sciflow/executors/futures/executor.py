"""Runs tasks as elements that a pool of `concurrent.futures` starts; its workers see the run folder.

Jobs that are handed over in the same moment become one submission, as with a batch system, but each element is a future
of its own. Their ends are told by the futures, what they have done by the files that they write. The pool dies with the
engine: what an earlier one had in it is ended, once what it has done is known.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.core.graph import Resources
from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, HostError, HostUnfit
from sciflow.executors.batch.courier import Tempo
from sciflow.executors.batch.record import FOLDER, BatchRecord, Stage, read_records, write_record
from sciflow.executors.batch.underway import Told, Underway, given_back, refusals
from sciflow.executors.capacity import Capacity
from sciflow.executors.containers.launch import launch_of
from sciflow.executors.executor import Brought, Noticed, Offer, Report, Watch, never_began
from sciflow.executors.futures.elements import Flight
from sciflow.executors.futures.pool import Pool
from sciflow.executors.futures.submissions import Submissions
from sciflow.executors.inbox import Inbox
from sciflow.executors.lost_files import gone
from sciflow.executors.request import Element, element_of, taken_back

PATIENCE_S = 5.0  # with what an earlier engine has left running
CLOSING_S = 5.0
AGAIN_S = 2.0
FASTER = 0.5  # of the time since the last news passes until the next look, within the limits


class FuturesExecutor:
    """See `executors.executor.Executor`."""

    outlives = False
    throttles = False
    settled = True  # what it was told to end is in flight until it has ended

    def __init__(
        self,
        name: str,
        pool: Pool,
        submissions: Submissions,
        *,
        root: Path,
        workers: int,
        tempo: Tempo,
    ) -> None:
        """`workers`: elements of one core that the pool takes at once."""
        self._name = name
        self._pool = pool
        self._submissions = submissions
        self._root = root
        self._capacity = Capacity(cpus=workers)
        self._tempo = tempo
        self._waiting: dict[Need, list[Element]] = {}
        self._underway = Underway(root)
        self._flights: dict[tuple[str, int], Flight] = {}
        self._records: dict[str, BatchRecord] = {}  # of submissions of which something may still come
        self._due: deque[Flight] = deque()  # those that the pool has not taken yet
        self._reports: list[Report] = []
        self._ends: Inbox[None] = Inbox()
        self._next_look = 0.0
        self._not_before = 0.0  # when to send again, after trouble
        self._trouble = ""
        self._last_news = time.monotonic()
        self._adopt()

    # --- the contract

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`."""
        del template, at_once
        counted = _counted(need.resources)
        if counted.cpus > self._capacity.cpus:
            return Offer(remaining)  # to be refused
        if not self._capacity.fits(counted):
            return Offer(0, holds=self._capacity.holds(counted))
        shares = max(1, 2 * self._capacity.cpus // counted.cpus)
        return Offer(-(-remaining // shares))

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        fresh, reports = self._underway.adopt(job)
        self._reports += reports
        if not fresh:
            return
        try:
            launch_of(None, job, gpus=None, bundles=())
            self._capacity.check(_counted(job.need.resources), job.path)
        except ConfigError as error:
            self._reports += refusals(job, fresh, str(error))
            return
        self._capacity.take(_counted(job.need.resources))
        self._waiting.setdefault(job.need, []).append(element_of(job, fresh, ()))

    def watch(self) -> Watch:
        """See `Executor`."""
        if self._reports:
            return Watch(seconds=0)
        times = [self._next_look] if self._flights else []
        times += [self._not_before] if self._waiting or self._due else []
        wait = max(0.0, min(times) - time.monotonic()) if times else None
        return Watch(read=[self._ends.fd], seconds=wait)

    def poll(self) -> list[Report]:
        """See `Executor`."""
        if (self._waiting or self._due) and time.monotonic() >= self._not_before:
            self._send_all()
        if self._ends.take() or time.monotonic() >= self._next_look:
            self._look()
        reports, self._reports = self._reports, []
        return reports

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`."""
        jobs = set(jobs)
        unsent = taken_back(self._waiting, jobs)
        self._reports += self._gone(given_back(unsent))
        for batch, elements in self._underway.condemn(jobs, error).items():
            for element in elements:
                self._flights[batch, element].give_up()
        self._next_look = 0.0

    def fetch(self, paths: Sequence[str]) -> None:
        """See `Executor`: there is nothing elsewhere."""
        self._reports += [Brought(paths=[path], problem=gone(path, self._root)) for path in paths]

    def withdraw(self) -> None:
        """See `Executor`; what has not begun hands all back as soon as it is its turn."""
        for batch in {flight.batch for flight in self._flights.values()}:
            (self._root / FOLDER / batch / "stop").touch()
        for flight in self._due:
            flight.give_up()

    def close(self) -> None:
        """See `Executor`."""
        for flight in self._flights.values():
            flight.give_up()
        limit = time.monotonic() + CLOSING_S
        while any(not flight.is_over for flight in self._flights.values()) and time.monotonic() < limit:
            time.sleep(0.02)
        self._pool.close()
        self._ends.close()

    # --- sending

    def _send_all(self) -> None:
        try:
            self._submissions.prepare()
            for need in list(self._waiting):
                self._send(need, self._waiting[need])
                del self._waiting[need]
            self._start_due()
        except HostUnfit as error:
            self._fail_all(str(error))
        except (HostError, OSError) as error:  # a full disk, or a pool that has broken down
            self._not_before = time.monotonic() + AGAIN_S
            self._trouble = f"{self._name}: {error}; waiting"
            self._reports.append(Noticed(text=self._trouble))
            return
        if self._trouble:
            self._trouble = ""
            self._reports.append(Noticed(text=""))

    def _fail_all(self, why: str) -> None:
        """Ends all that waits to be sent: no waiting mends the place."""
        broken = TaskError(kind="place", type="sciflow:EnvironmentBroken", message=why, fatal=True)
        elements = [element for waiting in self._waiting.values() for element in waiting]
        self._waiting.clear()
        for element in elements:
            self._capacity.give(_counted(element.share.resources), ())
            self._reports += never_began(element.numbers, broken)

    def _send(self, need: Need, elements: Sequence[Element]) -> None:
        if not elements:
            return
        record, flights = self._submissions.make(need, elements)
        self._records[record.name] = record
        self._underway.add(record, elements)
        self._flights.update(((flight.batch, flight.element), flight) for flight in flights)
        self._due.extend(flights)

    def _start_due(self) -> None:
        """Has the pool take what it has not taken yet.

        Raises:
            QueueUnavailable: it does not.
        """
        while self._due:
            flight = self._due[0]
            if flight.told is not None and flight.unwanted_since is None:
                flight.future = self._pool.start(self._submissions.argv(flight), flight.told)
                flight.told = None
                flight.future.add_done_callback(lambda _: self._ends.put(None))
            self._due.popleft()

    # --- what comes back

    def _look(self) -> None:
        """Reads what elements have written, and takes leave of those that are over."""
        over = [flight for flight in self._flights.values() if flight.is_over]  # first: what follows is all of it
        for flight in self._flights.values():
            said = flight.heard()
            if said:
                self._last_news = time.monotonic()
            for line in said:
                self._reports += self._underway.heard(flight.batch, flight.element, line)
        for flight in over:
            self._reports += self._ended(flight)
        self._settle()
        quiet = time.monotonic() - self._last_news
        self._next_look = time.monotonic() + min(max(self._tempo.least_s, FASTER * quiet), self._tempo.most_s)

    def _ended(self, flight: Flight) -> Iterator[Report]:
        del self._flights[flight.batch, flight.element]
        batch, element, verdict = flight.batch, flight.element, flight.verdict()
        if flight.told is None and self._underway.is_doomed(batch, element):
            told = self._underway.cancelled({batch: [element]})
        elif verdict is not None:
            told = self._underway.condemned(batch, element, verdict)
        else:
            told = self._underway.closed(batch, element)
        yield from self._gone(told)

    def _gone(self, told: Told) -> Sequence[Report]:
        for share in told.freed:
            self._capacity.give(_counted(share.resources), ())
        return told.reports

    def _settle(self) -> None:
        """Writes down of which submissions nothing more comes; while the disk is full, with the next look."""
        for name in self._records.keys() - {batch for batch, _ in self._flights}:
            with suppress(OSError):  # its elements have ended, whoever reads the record
                write_record(self._root, msgspec.structs.replace(self._records[name], stage=Stage.ENDED))
                del self._records[name]

    def _adopt(self) -> None:
        """Ends what an earlier engine has left with its pool, and takes in what that has done."""
        for record in read_records(self._root, self._name):
            self._records[record.name] = record
            self._underway.add(record)
            for k in range(len(record.elements)):
                folder = self._root / FOLDER / record.name
                flight = Flight(batch=record.name, element=k, folder=folder, future=None)
                flight.give_up()
                self._flights[record.name, k] = flight
        limit = time.monotonic() + PATIENCE_S
        while any(not flight.is_over for flight in self._flights.values()) and time.monotonic() < limit:
            time.sleep(0.02)
        if self._flights:
            self._look()


def _counted(resources: Resources) -> Resources:
    """What is counted of a need: memory and GPUs are the pool's own business."""
    return Resources(cpus=resources.cpus * resources.ranks)
