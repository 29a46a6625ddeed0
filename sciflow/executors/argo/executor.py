"""A run that Argo carries out: its tasks run in pods of a workflow, whose ends are read from the bucket.

The engine walks along the graphs as ever, and so finds out what the run comes to; but it hands over tasks that are on
their way by themselves. An engine that dies leaves the workflow to go on, and the next one reads what has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sciflow.core.graph import EXIT_NODE
from sciflow.core.job import Job, Need
from sciflow.core.records import TaskError
from sciflow.executors.argo.follow.course import Course, Steering
from sciflow.executors.argo.follow.follower import Follower
from sciflow.executors.argo.follow.halting import Halted
from sciflow.executors.argo.follow.ledger import Ledger
from sciflow.executors.argo.follow.losses import not_started, refusal
from sciflow.executors.argo.follow.news import (
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
    Told,
    Unreached,
    Waiting,
)
from sciflow.executors.argo.follow.reckoning import Reckoning
from sciflow.executors.argo.follow.waiting import Waits
from sciflow.executors.executor import (
    Answered,
    Brought,
    Denied,
    Ended,
    Noticed,
    Offer,
    Report,
    Steered,
    Watch,
    never_began,
)

CLOSING_S = 5.0


class ArgoExecutor:
    """See `executors.executor.Executor` and `Conductor`."""

    outlives = True
    throttles = True  # Argo sees to it

    def __init__(self, follower: Follower, *, revives: bool = True) -> None:
        """`revives`: a workflow that has ended is to go on with what has failed."""
        self._follower = follower
        self._ledger = Ledger()
        self._steering = Steering()
        self._reckoning = Reckoning(self._ledger, self._steering, revives=revives, order=self._order)
        self._reports: list[Report] = []
        self._owed: set[Order] = set()  # what was ordered, and neither done nor refused
        self._waits = Waits()
        self._refusal: TaskError | None = None  # what all tasks die of where there is no workflow

    # --- the whole run

    def begin(self, totals: Mapping[str, int], answers: Mapping[str, bytes]) -> None:
        """See `Conductor`."""
        self._follower.order(Begin(totals=totals))  # a run that has ended need not be submitted: nobody waits for it
        for path, text in answers.items():
            self.answer(path, text)

    @property
    def informed(self) -> bool:
        """See `Conductor`."""
        return self._ledger.up_to_date

    def answer(self, path: str, text: bytes) -> None:
        """See `Conductor`."""
        self._order(Answer(path=path, text=text))

    def go_on(self) -> None:
        """See `Conductor`."""
        if self._steering.course is not Course.ENDING:  # a workflow that ends goes on to do so
            self._steering.go_on()
            self._order(Resume())

    def end(self, *, exit_handler: bool, killed: bool, why: str) -> None:
        """See `Conductor`."""
        halt = Halted(killed=killed, exit_handler=exit_handler, why=why)
        if self._steering.end(halt):
            self._order(End(halt=halt))

    def _order(self, order: Order) -> None:
        self._owed.add(order)
        self._follower.order(order)

    # --- its tasks

    @property
    def settled(self) -> bool:
        """See `Executor`."""
        goes_on = self._steering.course is Course.UNDERWAY  # it will be ended if all that is left cannot be started
        return not self._owed and not (goes_on and self._waits.given_up and not self._waits.asks)

    def offer(self, need: Need, template: str, *, remaining: int, at_once: int | None = None) -> Offer:
        """See `Executor`."""
        del need, template, at_once
        return Offer(remaining)

    def submit(self, job: Job) -> None:
        """See `Executor`."""
        self._reckoning.move()
        if _exits(job.path):
            self._steering.exit()
        if self._refusal is not None:
            self._reports += never_began(map(job.number, range(len(job.slices))), self._refusal)
            return
        for position, (slice_, attempt) in enumerate(zip(job.slices, job.attempts, strict=True)):
            self._meet(self._ledger.ask(job.path, slice_, attempt=attempt, number=job.number(position)))

    def watch(self) -> Watch:
        """See `Executor`."""
        return Watch(seconds=0) if self._reports else Watch(read=[self._follower.news.fd])

    def poll(self) -> list[Report]:
        """See `Executor`."""
        for news in self._follower.news.take():
            self._hear(news)
        self._reckoning.heard()
        reports, self._reports = self._reports, []
        return reports

    def fetch(self, paths: Sequence[str]) -> None:
        """See `Executor`."""
        self._order(Fetch(paths=paths))

    def cancel(self, jobs: Iterable[int], error: TaskError) -> None:
        """See `Executor`; pods that had begun leave what they have done, which may come late."""
        del jobs
        self._steering.kill(error)
        self.end(exit_handler=True, killed=True, why=error.message)

    def withdraw(self) -> None:
        """See `Executor`."""
        if self._steering.withdraw():
            self._order(Pause())

    def close(self) -> None:
        """See `Executor`."""
        self._follower.close(CLOSING_S)

    # --- news

    def _hear(self, news: News) -> None:
        match news:
            case Ends():
                self._meet(self._ledger.hear(news))
                self._cut(news)
            case Told(path=path, text=text):
                self._reckoning.move()
                self._reports.append(Answered(path=path, text=text))
            case CaughtUp():
                self._reports += self._reckoning.caught_up(news, owed=self._owed)
            case Fetched(paths=paths, lost=lost):
                self._reports.append(Brought(paths=[path for path in paths if path not in lost]))
                self._reports += [Brought(paths=[path], problem=why) for path, why in lost.items()]
            case Obeyed():
                self._obeyed(news)
            case Waiting(waits=waits):
                self._wait(waits)
            case Refused(why=why):
                self._refused(why)
            case Notice() | Unreached() | Broken():
                self._reports += _noticed(news)

    def _meet(self, ends: Iterable[Ended]) -> None:
        for end in ends:
            self._reckoning.move()
            self._reports.append(end)

    def _cut(self, news: Ends) -> None:
        """The ends of tasks that were ended with their pod, as they were meant to be."""
        if self._steering.doom is not None:
            self._reports += never_began(self._ledger.drop(news.path, news.left), self._steering.doom)

    def _refused(self, why: str) -> None:
        """The workflow came to nothing: so do all tasks."""
        self._refusal = refusal(why)
        self._steering.vanish()
        self._ledger.catch_up()
        self._reports += never_began(self._ledger.drop_all(self._ledger.paths), self._refusal)

    def _obeyed(self, news: Obeyed) -> None:
        """An order is settled: of an end or a pause nothing may have come, nor then of an exit handler after it."""
        self._owed.discard(news.order)
        why = news.refusal
        match news.order:
            case End(halt=halt) if why:
                self._steering.keeps_on()
                exits = filter(_exits, self._ledger.paths) if halt.exit_handler else ()
                self._reports += never_began(self._ledger.drop_all(exits), refusal(why))
                self._reports.append(Denied(why=why, ends=True))
            case Pause() if why:
                self._steering.keeps_beginning()
                self._reports.append(Denied(why=why))
            case Revive() if why:
                self._reckoning.refuse(why)
            case Resume() if why:  # it is found to be suspended at the next look
                self._reports.append(Noticed(text=f"it was asked to go on, and stays suspended: {why}"))

    def _wait(self, waits: Waits) -> None:
        """Pods wait: that is shown; the tasks of those that cannot be started have failed after a while.

        A pod beside them may have ended since the bucket was listed: the next look tells what it has left.
        """
        if waits.text != self._waits.text:
            self._reports.append(Noticed(text=waits.text, passing=True))
        before, self._waits = self._waits, waits
        given_up = {path: why for path, why in waits.given_up.items() if path in before.given_up}
        for path, why in given_up.items():
            self._reports += never_began(self._ledger.drop(path), not_started(why))
        if given_up and waits.alone:
            self.end(exit_handler=True, killed=True, why="its pods could not be started")


def _exits(path: str) -> bool:
    return path.partition("/")[0] == EXIT_NODE


def _noticed(news: Notice | Unreached | Broken) -> Iterator[Report]:
    match news:
        case Notice(text=text):
            yield Noticed(text=text)
        case Unreached(why=why):
            yield Steered(level="leave", why=why)
        case Broken(error=error):
            raise error
