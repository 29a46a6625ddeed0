"""Which tasks are with the host, and what their ends mean to the engine: its numbers in place of the host's.

After the death of an engine the host goes on. What it says of a task that this engine has not handed over yet is kept
until it does, which is when the scheduler has come so far again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.job import Job, job_of
from sciflow.core.records import Loaded, Progress, Reply, TaskError
from sciflow.executors.batch.news import Cancelled, Closed, Condemned, Refused
from sciflow.executors.batch.record import BatchRecord, TaskName
from sciflow.executors.batch.verdict import Verdict
from sciflow.executors.capacity import Share
from sciflow.executors.executor import Died, Ended, Lost, Report, never_began
from sciflow.executors.request import Element


class OpenElement(msgspec.Struct, kw_only=True, eq=False):
    """An element that has not come to its end, and its tasks that have not."""

    batch: str
    worker: str
    pending: dict[int, TaskName]  # in the order in which they are run
    asked: dict[int, int] = msgspec.field(default_factory=dict)  # the host's number -> the engine's
    own: bool  # an earlier engine did not submit it
    fan: str = ""  # the path of the node of which its tasks are slices
    throttled: bool = False  # of which only so many run at once
    share: Share | None = None  # what it holds of what is counted
    stdout_at: int = 0
    stderr_at: int = 0
    doom: TaskError | None = None


class Told(msgspec.Struct, frozen=True):
    """What is to be reported, and what the elements that are at their end have held."""

    reports: Sequence[Report]
    freed: Sequence[Share] = ()


class Underway:
    """The tasks of one executor that are with its host."""

    def __init__(self, root: Path, *, is_over: Callable[[TaskName], bool] = lambda _: False) -> None:
        """`is_over`: whether the run's records have the end of a task's attempt."""
        self._is_over = is_over
        self._logs = root / "logs"
        self._open: dict[tuple[str, int], OpenElement] = {}
        self._fans: Counter[str] = Counter()  # how many of the open elements are of which
        self.throttled = 0  # of them are of fans that run only so many at once; an earlier engine's do not count
        self._tasks: dict[tuple[str, int], tuple[OpenElement, int]] = {}  # (path, attempt) -> where, which number
        self._unasked: set[tuple[str, int]] = set()  # tasks of earlier engines that nobody has asked for yet
        self._early: dict[tuple[str, int], tuple[str, Report]] = {}  # ends that nobody asked for yet, and whence

    @property
    def elements(self) -> int:
        """How many elements are on their way."""
        return len(self._open)

    def of_fan(self, path: str) -> int:
        """How many elements with slices of a node are on their way."""
        return self._fans[path]

    @property
    def unasked(self) -> int:
        """How many tasks an earlier engine has handed over for which this one has not asked yet."""
        return len(self._unasked)

    @property
    def dooms(self) -> bool:
        """Whether elements are being ended on order."""
        return any(opened.doom is not None for opened in self._open.values())

    def add(self, record: BatchRecord, elements: Sequence[Element] = (), *, shares: Sequence[Share] = ()) -> None:
        """A submission is on its way; without `elements` it is an earlier engine's, of which `shares` are counted."""
        for k, names in enumerate(record.elements):
            element = elements[k] if elements else None
            opened = OpenElement(
                batch=record.name,
                worker=record.worker(k),
                pending={name.number: name for name in names},
                own=element is not None,
                throttled=element is not None and element.job.parallelism is not None,
                fan=names[0].path.rpartition("/")[0] if names else "",
                share=element.share if element is not None else shares[k] if shares else None,
            )
            self._open[record.name, k] = opened
            self._fans[opened.fan] += 1
            self.throttled += opened.throttled
            for position, name in enumerate(names):
                if element is None and self._is_over(name):  # written down by an earlier engine: not told again
                    del opened.pending[name.number]
                    continue
                self._tasks[name.path, name.attempt] = (opened, name.number)
                if element is None:
                    self._unasked.add((name.path, name.attempt))
                else:
                    opened.asked[name.number] = element.numbers[position]

    @property
    def early(self) -> set[str]:
        """The submissions of which ends are kept here that nobody has asked for yet."""
        return {batch for batch, _ in self._early.values()}

    def adopt(self, job: Job) -> tuple[list[int], list[Report]]:
        """The positions of a job's tasks that are not on their way, and what is known already of those that are."""
        fresh, reports = [], []
        for position, attempt in enumerate(job.attempts):
            task, number = (job.task_path(position), attempt), job.number(position)
            if task in self._early:
                reports.append(_numbered(self._early.pop(task)[1], number))
            elif task in self._tasks:
                opened, there = self._tasks[task]
                opened.asked[there] = number
                self._unasked.discard(task)
            else:
                fresh.append(position)
        return fresh, reports

    # --- what the host says

    def heard(self, batch: str, element: int, said: Reply | Progress | Loaded) -> Iterator[Report]:
        """An element has written a line."""
        opened = self._open.get((batch, element))
        match said:
            case Reply(number=number) if opened is not None and number in opened.pending:
                report = Ended(
                    reply=said, worker=opened.worker, stdout_start=opened.stdout_at, stderr_start=opened.stderr_at
                )
                opened.stdout_at, opened.stderr_at = said.stdout_end, said.stderr_end
                yield from self._end(opened, number, report)
            case Progress(number=number) if opened is not None and number in opened.asked:
                yield msgspec.structs.replace(said, number=opened.asked[number])

    def ended(self, news: Closed | Condemned | Refused | Cancelled) -> Told:
        """Elements are at their end; what they did not get to is to be handed over again."""
        match news:
            case Closed(batch=batch, element=element):
                return self.closed(batch, element)
            case Condemned(batch=batch, element=element, verdict=verdict):
                return self.condemned(batch, element, verdict)
            case Refused(batch=batch, error=error):  # its tasks have failed, or go on if it was never made
                return self._all(batch, None if error.kind == "never" else error)
            case Cancelled(elements=elements):
                return self.cancelled(elements)

    def closed(self, batch: str, element: int) -> Told:
        """An element has ended in order."""
        return self._close(batch, element, error=None, all_=False)

    def condemned(self, batch: str, element: int, verdict: Verdict) -> Told:
        """An element has ended without a word."""
        return self._close(batch, element, error=verdict.error, all_=verdict.all)

    def condemn(self, jobs: set[int], error: TaskError) -> dict[str, list[int]]:
        """The elements in which tasks of these jobs are, and all of earlier engines; what they come to is `error`."""
        found: dict[str, list[int]] = {}
        for (batch, k), opened in self._open.items():
            concerned = not opened.own or any(job_of(number) in jobs for number in opened.asked.values())
            if opened.doom is None and concerned:
                opened.doom = error
                found.setdefault(batch, []).append(k)
        return found

    def is_doomed(self, batch: str, element: int) -> bool:
        """Whether an element is being ended on order."""
        return (batch, element) in self._open and self._open[batch, element].doom is not None

    def cancelled(self, elements: Mapping[str, Sequence[int]]) -> Told:
        """Elements were ended as was ordered."""
        ends = ((batch, k) for batch, wanted in elements.items() for k in wanted)
        found = ((batch, k, self._open[batch, k]) for batch, k in ends if (batch, k) in self._open)
        return _together(
            [
                self._close(batch, k, error=opened.doom if opened.asked else None, all_=False)
                for batch, k, opened in found
            ]
        )

    # --- ends

    def _all(self, batch: str, error: TaskError | None) -> Told:
        own = [k for name, k in self._open if name == batch]
        return _together([self._close(batch, k, error=error, all_=True) for k in own])

    def _close(self, batch: str, element: int, *, error: TaskError | None, all_: bool) -> Told:
        """An element is at its end: the task that ran comes to `error`, or all of them, and the rest are lost."""
        opened = self._open.pop((batch, element), None)
        if opened is None:
            return Told([])
        self._fans[opened.fan] -= 1
        self.throttled -= opened.throttled
        reports: list[Report] = []
        lost: list[int] = []
        for place, number in enumerate(list(opened.pending)):
            if error is not None and (all_ or place == 0):
                reports += self._end(opened, number, self._death(opened, number, error))
                continue
            self._drop(opened, number)
            if number in opened.asked:
                lost.append(opened.asked[number])
        if lost:
            reports.append(Lost(numbers=lost))
        return Told(reports, [opened.share] if opened.share is not None else [])

    def _end(self, opened: OpenElement, number: int, report: Report) -> Iterator[Report]:
        """A task has ended: reported, or kept until somebody asks for it."""
        task = self._drop(opened, number)
        if number in opened.asked:
            yield _numbered(report, opened.asked[number])
        else:
            self._early[task] = (opened.batch, report)

    def _drop(self, opened: OpenElement, number: int) -> tuple[str, int]:
        """A task is no longer on its way in an element; another one may have it, which was submitted later."""
        name = opened.pending.pop(number)
        task = (name.path, name.attempt)
        if task in self._tasks and self._tasks[task][0] is opened:
            del self._tasks[task]
            self._unasked.discard(task)
        return task

    def _death(self, opened: OpenElement, number: int, error: TaskError) -> Died:
        return Died(
            number=number,
            error=error,
            started=time.time(),
            seconds=0.0,
            worker=opened.worker,
            stdout=(opened.stdout_at, self._size(f"{opened.worker}.out", opened.stdout_at)),
            stderr=(opened.stderr_at, self._size(f"{opened.worker}.err", opened.stderr_at)),
        )

    def _size(self, name: str, least: int) -> int:
        path = self._logs / name
        return max(least, path.stat().st_size) if path.exists() else least


def given_back(elements: Sequence[Element]) -> Told:
    """Elements that have not left this machine are taken back."""
    return Told([Lost(numbers=element.numbers) for element in elements], [element.share for element in elements])


def refusals(job: Job, positions: Sequence[int], why: str) -> Sequence[Report]:
    """The ends of tasks that can never run at this place."""
    error = TaskError(kind="refused", type="sciflow:ConfigError", message=why, fatal=True)
    return never_began(map(job.number, positions), error)


def _numbered(report: Report, number: int) -> Report:
    match report:
        case Ended(reply=reply):
            return msgspec.structs.replace(report, reply=msgspec.structs.replace(reply, number=number))
        case Died():
            return msgspec.structs.replace(report, number=number)
        case _:
            return report


def _together(told: Sequence[Told]) -> Told:
    return Told([r for t in told for r in t.reports], [share for t in told for share in t.freed])
