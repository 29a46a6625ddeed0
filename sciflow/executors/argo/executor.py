"""A run that Argo carries out: its tasks run in pods of a workflow, whose ends are read from the bucket.

The engine walks along the graphs as ever, and so finds out what the run comes to; but it hands over tasks that are on
their way by themselves. An engine that dies leaves the workflow to go on, and the next one reads what has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from sciflow.core.graph import EXIT_NODE
from sciflow.core.job import Job, Need
from sciflow.core.records import Phase, TaskError
from sciflow.executors.argo.advance import advances
from sciflow.executors.argo.follower import Follower
from sciflow.executors.argo.halting import Halted
from sciflow.executors.argo.losses import lost, not_started, refusal
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
    Obeyed,
    Order,
    Pause,
    Refused,
    Resume,
    Revive,
    Revived,
    Told,
    Unreached,
    Waiting,
)
from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus
from sciflow.executors.argo.waiting import Waits
from sciflow.executors.executor import (
    Advanced,
    Answered,
    Brought,
    Denied,
    Ended,
    Lost,
    Noticed,
    Offer,
    Report,
    Steered,
    Watch,
    never_began,
)

Slice: TypeAlias = tuple[str, int]  # of a node's path

CLOSING_S = 5.0
LIVE = frozenset({"Pending", "Running"})  # phases of pods


class Asked(msgspec.Struct, frozen=True):
    """An attempt that the engine waits for, and the number by which it speaks of it."""

    attempt: int
    number: int


class Known(msgspec.Struct, frozen=True):
    """An end that nobody has asked for yet. One that was there when this engine began may be of an earlier attempt."""

    attempt: int
    ended: Ended
    fresh: bool

    def answers(self, asked: int) -> bool:
        """Whether it is what has become of an attempt; a pod that replaces a lost one counts from 1 again."""
        return self.attempt == asked or self.fresh or self.ended.reply.phase == Phase.SUCCEEDED.value


class ArgoExecutor:
    """See `executors.executor.Executor` and `Conductor`."""

    outlives = True
    throttles = True  # Argo sees to it

    def __init__(self, follower: Follower, *, revives: bool = True) -> None:
        """`revives`: a workflow that has ended is to go on with what has failed."""
        self._follower = follower
        self._revives = revives
        self._asked: dict[Slice, Asked] = {}
        self._known: dict[Slice, list[Known]] = {}
        self._heard: set[tuple[str, int, str, int]] = set()  # ends, by path, slice, worker and attempt
        self._reports: list[Report] = []
        self._first = True  # nothing has been heard of the workflow yet
        self._owed: set[Order] = set()  # what was ordered, and neither done nor refused
        self._waits = Waits()
        self._doom: TaskError | None = None  # what the tasks die of that are ended
        self._refusal: TaskError | None = None  # the workflow came to nothing: so do all tasks
        self._withdrawing = False
        self._ending = False
        self._suspended = False  # as the workflow was last seen
        self._halted = False  # somebody else has ended it
        self._moved = False  # a task was handed over or has ended since that, or an answer was given
        self._told: set[str] = set()  # paths of suspended nodes whose answers hold
        self._reviving = self._revived = False  # a workflow that had ended is to go on, or does

    # --- the whole run

    def begin(self, totals: Mapping[str, int], answers: Mapping[str, bytes]) -> None:
        """See `Conductor`."""
        self._follower.order(Begin(totals=totals))  # a run that has ended need not be submitted: nobody waits for it
        for path, text in answers.items():
            self.answer(path, text)

    @property
    def informed(self) -> bool:
        """See `Conductor`."""
        return not self._first

    def answer(self, path: str, text: bytes) -> None:
        """See `Conductor`."""
        self._order(Answer(path=path, text=text))

    def go_on(self) -> None:
        """See `Conductor`."""
        self._withdrawing = self._suspended = False
        self._order(Resume())

    def end(self, *, exit_handler: bool, killed: bool, why: str) -> None:
        """See `Conductor`."""
        if not (self._ending or self._halted):
            self._ending = True
            self._order(End(halt=Halted(killed=killed, exit_handler=exit_handler, why=why)))

    def _order(self, order: Order) -> None:
        self._owed.add(order)
        self._follower.order(order)

    # --- its tasks

    @property
    def settled(self) -> bool:
        """See `Executor`."""
        return not self._owed and (self._ending or self._waits.asks or not self._waits.given_up)

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`."""
        del need, template, at_once
        return Offer(remaining)

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        self._moved = True
        if job.path.partition("/")[0] == EXIT_NODE:
            self._withdrawing = False
        if self._refusal is not None:
            self._reports += never_began(map(job.number, range(len(job.slices))), self._refusal)
            return
        for position, (slice_, attempt) in enumerate(zip(job.slices, job.attempts, strict=True)):
            self._asked[job.path, slice_] = Asked(attempt, job.number(position))
            self._reports += self._met((job.path, slice_))

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
        self._order(Fetch(paths=paths))

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`; pods that had begun leave what they have done, which may come late."""
        del jobs
        self._doom = error
        self.end(exit_handler=True, killed=True, why=error.message)

    def withdraw(self) -> None:
        """See `Executor`."""
        self._withdrawing = True
        if not (self._suspended or self._halted):
            self._order(Pause())

    def close(self) -> None:
        """See `Executor`."""
        self._follower.close(CLOSING_S)

    # --- news

    def _hear(self, news: News) -> None:
        match news:
            case Ends(path=path, left=left):
                self._reports += self._ended(news)
                self._reports += self._cut(path, left)
            case Told(path=path, text=text):
                self._moved = True
                self._told.add(path)
                self._reports.append(Answered(path=path, text=text))
            case CaughtUp():
                self._caught_up(news)
            case Revived():
                self._reviving = False
            case Fetched(paths=paths, lost=lost):
                self._reports.append(Brought(paths=[path for path in paths if path not in lost]))
                self._reports += [Brought(paths=[path], problem=why) for path, why in lost.items()]
            case Obeyed():
                self._obeyed(news)
            case Waiting(waits=waits):
                self._wait(waits)
            case Refused(why=why):
                self._refusal = refusal(why)
                self._first = False
                asked, self._asked = self._asked, {}
                self._reports += never_began([one.number for one in asked.values()], self._refusal)
            case Notice() | Unreached() | Broken():
                self._reports += _noticed(news)

    def _obeyed(self, news: Obeyed) -> None:
        """An order is settled: of an end or a pause nothing may have come, nor then of an exit handler after it."""
        self._owed.discard(news.order)
        if isinstance(news.order, Answer) and news.order.path not in self._told:
            self._reports.append(Answered(path=news.order.path, text=None))
        why = news.refusal
        match news.order:
            case End() if why:
                self._ending, self._doom = False, None
                exiting = [key for key in self._asked if key[0].partition("/")[0] == EXIT_NODE]
                self._reports += never_began([self._asked.pop(key).number for key in exiting], refusal(why))
                self._reports.append(Denied(why=why, ends=True))
            case Pause() if why:
                self._withdrawing = False
                self._reports.append(Denied(why=why))
            case Resume() if why:  # it is found to be suspended at the next look
                self._reports.append(Noticed(text=f"it was asked to go on, and stays suspended: {why}"))

    def _wait(self, waits: Waits) -> None:
        """Pods wait: that is shown; the tasks of those that cannot be started have failed after a while."""
        if waits.text != self._waits.text:
            self._reports.append(Noticed(text=waits.text, passing=True))
        self._waits = waits
        for path, why in waits.given_up.items():
            error = not_started(why)
            keys = [key for key in self._asked if key[0] == path]
            self._reports += never_began([self._asked.pop(key).number for key in keys], error)
        if waits.given_up and waits.alone:
            self.end(exit_handler=True, killed=True, why="its pods could not be started")

    def _ended(self, news: Ends) -> Iterator[Report]:
        path, last = news.path, {end.slice: end.attempt for end in news.ends}
        for end in news.ends:
            if (mark := (path, end.slice, end.worker, end.attempt)) in self._heard:
                continue
            self._heard.add(mark)
            report = Ended(
                reply=end.told,
                worker=end.worker,
                stdout_start=end.stdout_start,
                stderr_start=end.stderr_start,
                followed=news.again or end.attempt < last[end.slice],
            )
            known = Known(end.attempt, report, fresh=not self._first)
            self._known.setdefault((path, end.slice), []).append(known)
            yield from self._met((path, end.slice))

    def _cut(self, path: str, left: Sequence[int]) -> Iterator[Report]:
        """The ends of tasks that were ended with their pod, as they were meant to be."""
        if self._doom is not None:
            cut = [asked for slice_ in left if (asked := self._asked.pop((path, slice_), None)) is not None]
            yield from never_began([asked.number for asked in cut], self._doom)

    def _met(self, key: Slice) -> Iterator[Report]:
        """The end of the attempt that is asked for, if it is known."""
        asked = self._asked.get(key)
        if asked is None:
            return
        known = self._known.get(key, [])
        found = next((one for one in known if one.answers(asked.attempt)), None)
        if found is not None:
            self._moved = True
            del self._asked[key]
            known.remove(found)
            yield _numbered(found.ended, asked.number)

    def _caught_up(self, news: CaughtUp) -> None:
        status, self._first = news.status, False
        self._reports += self._advanced(status)
        still, self._moved = not self._moved, False
        if self._reviving:
            return
        revives = self._revives and not (self._revived or self._ending)
        if revives and news.found and (status.ended or status.shutdown):
            self._revive(status, still=still)
            return
        if still and not self._owed:
            self._reports += self._steered(news)
        if status.ended and (news.halted is None or self._ending or self._doom is not None or self._withdrawing):
            self._reports += self._missed(status, over=news.over)
        elif self._withdrawing and not status.ended:
            self._reports += self._unbegun(status)

    def _revive(self, status: WorkflowStatus, *, still: bool) -> None:
        """Has a workflow go on that has ended, or is about to: what earlier engines have seen would be all else."""
        if status.ended and (self._asked or (still and status.shutdown)):
            self._revived = self._reviving = True
            self._order(Revive())

    def _steered(self, news: CaughtUp) -> Iterator[Report]:
        """What somebody else has asked of the workflow; told when all is that had ended before."""
        halted, suspended = news.halted, news.status.suspended
        if halted is None and news.over and not self._asked:  # what the run waits for will not come
            message = news.status.message or f"it ended: {news.status.phase}"
            halted = Halted(why=f"its workflow does not go on: {message}")
        if halted is not None:
            self._halted = True
            level: Literal["kill", "stop"] = "kill" if halted.killed else "stop"
            yield Steered(level=level, why=halted.why, exit_handler=halted.exit_handler)
        elif suspended != self._suspended:
            self._suspended = suspended
            yield Steered(level="pause" if suspended else "go on", why="the run was suspended" if suspended else "")

    def _advanced(self, status: WorkflowStatus) -> Iterator[Report]:
        """How far the pods are of tasks that are waited for."""
        said = advances(status)
        numbers = {path: asked.number for (path, _), asked in self._asked.items() if path in said}
        yield from (Advanced(number=number, text=said[path]) for path, number in numbers.items())

    def _missed(self, status: WorkflowStatus, *, over: bool) -> Iterator[Report]:
        """The ends of tasks of which a workflow that has ended has left nothing, or can leave nothing."""
        nodes = _nodes_by_path(status)
        gone = [key for key in self._asked if over or (nodes and key[0] not in nodes)]  # Kubernetes may tell none
        if gone and self._withdrawing and self._doom is None:  # it was stopped before their turn came
            yield Lost(numbers=[self._asked.pop(key).number for key in gone])
            return
        for key in gone:
            told = next((node for node in nodes.get(key[0], ()) if node.message), None)
            message = told.message if told is not None else status.message or f"its workflow ended: {status.phase}"
            error = self._doom or lost(message)
            yield from never_began([self._asked.pop(key).number], error)

    def _unbegun(self, status: WorkflowStatus) -> Iterator[Report]:
        """What waits for its turn, once no more pods are begun."""
        live = {path for path, nodes in _nodes_by_path(status).items() if any(n.phase in LIVE for n in nodes)}
        if not status.nodes:
            return
        numbers = [asked.number for key, asked in self._asked.items() if key[0] not in live]
        self._asked = {key: asked for key, asked in self._asked.items() if key[0] in live}
        if numbers:
            yield Lost(numbers=numbers)


def _noticed(news: Notice | Unreached | Broken) -> Iterator[Report]:
    match news:
        case Notice(text=text):
            yield Noticed(text=text)
        case Unreached(why=why):
            yield Steered(level="leave", why=why)
        case Broken(error=error):
            raise error


def _nodes_by_path(status: WorkflowStatus) -> dict[str, list[NodeStatus]]:
    found: dict[str, list[NodeStatus]] = {}
    for node in status.nodes.values():
        if node.type == "Pod":
            found.setdefault(node.parameter("path"), []).append(node)
    return found


def _numbered(report: Ended, number: int) -> Ended:
    return msgspec.structs.replace(report, reply=msgspec.structs.replace(report.reply, number=number))
