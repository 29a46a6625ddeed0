"""What a look at a workflow means for the tasks that an engine waits for, and for the run as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from sciflow.core.records import TaskError
from sciflow.executors.argo.follow.advance import advances, begun
from sciflow.executors.argo.follow.course import Course, Steering
from sciflow.executors.argo.follow.ledger import Ledger
from sciflow.executors.argo.follow.losses import missing, refusal, unbegun
from sciflow.executors.argo.follow.news import CaughtUp, Order, Revive
from sciflow.executors.argo.server.objects import WorkflowStatus
from sciflow.executors.executor import Advanced, Lost, Report, never_began


class Reckoning:
    """Knows what of the workflow was there before this engine."""

    def __init__(self, ledger: Ledger, steering: Steering, *, revives: bool, order: Callable[[Order], None]) -> None:
        """`revives`: a workflow that has ended is to go on with what has failed."""
        self._ledger = ledger
        self._steering = steering
        self._revives = revives
        self._order = order
        self._found_shut = False  # somebody had asked for its end before this engine began
        self._idle: frozenset[str] = frozenset()  # nodes without a pod at work when nothing more was to begin
        self._unbegun: frozenset[str] = frozenset()  # nodes none of whose pods has begun
        self._moves = 0
        self._looked = 0  # moves before the last look that was told
        self._known = 0  # moves before the last look of which the engine has heard: it has done what follows from it
        self._refusal: TaskError | None = None  # what they die of that were to be run again

    def refuse(self, why: str) -> None:
        """A workflow that has ended does not go on."""
        self._refusal = refusal(why)

    def move(self) -> None:
        """A task was handed over or has ended, or an answer was given: what comes of it is seen at the next look."""
        self._moves += 1

    def heard(self) -> None:
        """The engine hears what was told so far. Looks that had piled up are one: it could do nothing in between."""
        self._known = self._looked

    def caught_up(self, news: CaughtUp, *, owed: Collection[Order]) -> Iterator[Report]:
        """All that had ended is told, and this is how the workflow is; `owed`: orders that are not settled."""
        status, steering = news.status, self._steering
        yield from self._advanced(status)
        still, self._looked = self._moves == self._known, self._moves
        if self._goes_on_again(news, still=still, owed=owed):
            return
        steering.see(news.halted)
        if still and not owed:
            yield from steering.told(news, idle=not self._ledger.paths)
        if status.ended and steering.gives_up:
            yield from self._missed(status, over=news.over)
        yield from self._taken_back(status)

    def _goes_on_again(self, news: CaughtUp, *, still: bool, owed: Collection[Order]) -> bool:
        """Whether a workflow goes on that had ended, or is to when it has: first all is told that earlier engines saw.

        Not one that somebody ends while this engine looks on.
        """
        status, first = news.status, not self._ledger.up_to_date
        self._ledger.catch_up()
        if any(isinstance(order, Revive) for order in owed):
            return True
        if first:
            self._found_shut = bool(status.shutdown)
        elif status.shutdown and not self._found_shut:
            self._revives = False
        revives = self._revives and self._steering.course is not Course.ENDING
        if not (revives and news.found and (status.ended or status.shutdown)):
            return False
        if status.ended and (self._ledger.paths or (still and status.shutdown)):
            self._revives = False  # once
            self._order(Revive(paths=tuple(self._ledger.paths)))
        return True

    def _taken_back(self, status: WorkflowStatus) -> Iterator[Report]:
        """What waits for its turn, once no more pods are begun.

        A pod that has ended since the bucket was listed is not at work, either: the next look tells what it has left.
        """
        holds = self._steering.withdrawn and not status.ended
        idle = unbegun(self._ledger.paths, status) if holds else {}
        waits = [path for path, had_pods in idle.items() if not had_pods or path in self._idle]
        self._idle = frozenset(idle)
        if numbers := self._ledger.drop_all(waits):
            yield Lost(numbers=numbers)

    def _advanced(self, status: WorkflowStatus) -> Iterator[Report]:
        """How far the pods are of tasks that are waited for, as far as it is known now."""
        said, before = advances(status), self._unbegun
        if status.nodes:
            self._unbegun = frozenset(path for path, has in begun(status).items() if not has)
        for path in (said.keys() | (before ^ self._unbegun)).intersection(self._ledger.paths):
            number = self._ledger.number(path)
            yield Advanced(number=number, text=said.get(path, ""), begun=path not in self._unbegun)

    def _missed(self, status: WorkflowStatus, *, over: bool) -> Iterator[Report]:
        """The ends of tasks of which a workflow that has ended has left nothing, or can leave nothing."""
        gone, doom = missing(self._ledger.paths, status, over=over), self._steering.doom
        if gone and self._steering.withdrawn and doom is None:  # it was stopped before their turn came
            yield Lost(numbers=self._ledger.drop_all(gone))
            return
        for path, error in gone.items():
            yield from never_began(self._ledger.drop(path), doom or self._refusal or error)
