"""A run that Argo carries out: its tasks run in pods of a workflow, whose ends are read from the bucket.

The engine walks along the graphs as ever, and so finds out what the run comes to; but it hands over tasks that are on
their way by themselves. An engine that dies leaves the workflow to go on, and the next one reads what has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.executors.argo.client import NodeStatus, WorkflowStatus
from sciflow.executors.argo.follower import Follower
from sciflow.executors.argo.news import (
    Answer,
    Begin,
    Broken,
    CaughtUp,
    End,
    Ends,
    Fetch,
    Fetched,
    News,
    Notice,
    Pause,
    Refused,
    Resume,
    Revive,
)
from sciflow.executors.argo.outcomes import TaskEnd
from sciflow.executors.executor import Brought, Ended, Lost, Noticed, Offer, Report, Watch, never_began

Attempt: TypeAlias = tuple[str, int, int]  # a node's path, the slice, which attempt

CLOSING_S = 5.0
LIVE = frozenset({"Pending", "Running"})  # phases of pods


class ArgoExecutor:
    """See `executors.executor.Executor` and `Conductor`."""

    outlives = True
    throttles = True  # Argo sees to it

    def __init__(self, name: str, follower: Follower) -> None:
        self._name = name
        self._follower = follower
        self._asked: dict[Attempt, int] = {}  # attempts that the engine waits for, by its numbers
        self._known: dict[Attempt, Ended] = {}  # ends that the engine has not asked for yet
        self._heard: set[tuple[str, int, int]] = set()
        self._reports: list[Report] = []
        self._first = True  # nothing has been heard of the workflow yet
        self._status = WorkflowStatus()
        self._doom: TaskError | None = None  # what the tasks die of that are ended
        self._withdrawing = False
        self._ending = False

    # --- the whole run

    def begin(self, totals: Mapping[str, int]) -> None:
        """See `Conductor`."""
        self._follower.order(Begin(totals=totals))

    def answer(self, path: str, text: bytes) -> None:
        """See `Conductor`."""
        self._follower.order(Answer(path=path, text=text))

    def go_on(self) -> None:
        """See `Conductor`."""
        self._withdrawing = False
        self._follower.order(Resume())

    def end(self, *, exit_handler: bool) -> None:
        """See `Conductor`."""
        if not self._ending:
            self._ending = True
            self._follower.order(End(exit_handler=exit_handler))

    # --- its tasks

    @property
    def settled(self) -> bool:
        """See `Executor`."""
        return True

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`."""
        del need, template, at_once
        return Offer(remaining)

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        for position, (slice_, attempt) in enumerate(zip(job.slices, job.attempts, strict=True)):
            key, number = (job.path, slice_, attempt), job.number(position)
            known = self._known.pop(key, None)
            if known is not None:
                self._reports.append(_numbered(known, number))
            else:
                self._asked[key] = number

    def watch(self) -> Watch:
        """See `Executor`."""
        return Watch(seconds=0) if self._reports else Watch(read=[self._follower.news.fd])

    def poll(self) -> list[Report]:
        """See `Executor`."""
        for news in self._follower.news.take():
            self._hear(news)
        reports, self._reports = self._reports, []
        return reports

    def fetch(self, paths: Sequence[str]) -> None:
        """See `Executor`."""
        self._follower.order(Fetch(paths=paths))

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`; pods that had begun leave what they have done, which may come late."""
        del jobs
        self._doom = error
        self.end(exit_handler=True)

    def withdraw(self) -> None:
        """See `Executor`."""
        self._withdrawing = True
        self._follower.order(Pause())

    def close(self) -> None:
        """See `Executor`."""
        self._follower.close(CLOSING_S)

    # --- news

    def _hear(self, news: News) -> None:
        match news:
            case Ends(path=path, ends=ends):
                self._reports += self._ended(path, ends)
            case CaughtUp(status=status):
                self._caught_up(status)
            case Fetched(paths=paths, lost=lost):
                self._reports.append(Brought(paths=[path for path in paths if path not in lost]))
                self._reports += [Brought(paths=[path], problem=why) for path, why in lost.items()]
            case Refused(why=why):
                self._reports += self._dying(TaskError(kind="refused", type="sciflow:Refused", message=why, fatal=True))
            case Notice(text=text):
                self._reports.append(Noticed(text=text))
            case Broken(error=error):
                raise error

    def _ended(self, path: str, ends: Sequence[TaskEnd]) -> Iterator[Report]:
        for end in ends:
            key = (path, end.slice, end.attempt)
            if key in self._heard:
                continue
            self._heard.add(key)
            report = Ended(
                reply=end.told, worker=end.worker, stdout_start=end.stdout_start, stderr_start=end.stderr_start
            )
            if key in self._asked:
                yield _numbered(report, self._asked.pop(key))
            else:
                self._known[key] = report

    def _caught_up(self, status: WorkflowStatus) -> None:
        first, self._first = self._first, False
        self._status = status
        if status.ended and not self._asked:
            return
        if status.ended and first:
            self._follower.order(Revive())
        elif status.ended and status.nodes:
            self._reports += self._missed(status)
        elif self._withdrawing:
            self._reports += self._unbegun(status)

    def _missed(self, status: WorkflowStatus) -> Iterator[Report]:
        """The ends of tasks of which a workflow that has ended has left nothing."""
        nodes = _nodes_by_path(status)
        for key in list(self._asked):
            told = next((node for node in nodes.get(key[0], ()) if node.message), None)
            message = told.message if told is not None else status.message or f"its workflow ended: {status.phase}"
            error = self._doom or TaskError(kind="place", type="sciflow:PodLost", message=f"no word of it: {message}")
            yield from never_began([self._asked.pop(key)], error)

    def _unbegun(self, status: WorkflowStatus) -> Iterator[Report]:
        """What waits for its turn, once no more pods are begun."""
        live = {path for path, nodes in _nodes_by_path(status).items() if any(n.phase in LIVE for n in nodes)}
        if not status.nodes:
            return
        numbers = [number for key, number in self._asked.items() if key[0] not in live]
        self._asked = {key: number for key, number in self._asked.items() if key[0] in live}
        if numbers:
            yield Lost(numbers=numbers)

    def _dying(self, error: TaskError) -> Sequence[Report]:
        asked, self._asked = self._asked, {}
        return never_began(asked.values(), error)


def _nodes_by_path(status: WorkflowStatus) -> dict[str, list[NodeStatus]]:
    found: dict[str, list[NodeStatus]] = {}
    for node in status.nodes.values():
        if node.type == "Pod":
            found.setdefault(node.parameter("path"), []).append(node)
    return found


def _numbered(report: Ended, number: int) -> Ended:
    return msgspec.structs.replace(report, reply=msgspec.structs.replace(report.reply, number=number))
