"""The thread that looks after one workflow: submits it, does what it is ordered, and tells what is new in the bucket.

Servers that do not answer are waited for, and the executor is told.
"""

from __future__ import annotations

import errno
import select
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from sciflow.errors import ConfigError, HostFailed, HostRefused, HostUnreachable, SciflowError
from sciflow.executors.argo.advance import COSTS, NodesDue
from sciflow.executors.argo.answers import Answers
from sciflow.executors.argo.gates import Gates
from sciflow.executors.argo.halting import Halted, end_workflow, read_halted
from sciflow.executors.argo.harvest import Harvest
from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.news import (
    Answer,
    Begin,
    Broken,
    CaughtUp,
    End,
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
    Unreached,
    Waiting,
)
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import ANSWERS, HALTED, Layout
from sciflow.executors.argo.server.objects import WorkflowStatus
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.argo.waiting import SILENT_S, WaitingPods, Waits
from sciflow.executors.inbox import Inbox

AGAIN_S = 2.0  # after a server has not answered; each time twice as long
FAILED_S = 60.0  # for which a server is asked again that has failed to do what it was ordered
# Of the time since the last news passes until the next look: so much later than it is an end is seen at most. A watch
# would tell it at once, but with the whole object, which may be megabytes, at each change of any of its nodes.
FASTER = 0.1
LATE_S = 30.0  # for which what pods have left may come after the end of a workflow that was stopped
SETTLED_S = 1.0
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
GONE = "is there no more: somebody has removed it; `sciflow retry` submits it again, and nothing twice that has ended"


class Supply(Protocol):
    """Puts into the bucket what pods need."""

    def send(self) -> None:
        """Code, and what the run was given."""

    def submit(self, totals: Mapping[str, int]) -> None:
        """The same, and creates the workflow; `totals`: see `Begin`."""

    def send_answer(self, path: str, text: bytes) -> None:
        """What was given at a suspension."""


class Mission(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a workflow that is found."""

    begins: bool  # or not found: it is submitted
    fresh: bool = False  # nobody has looked after its run before, so that there is none to be found
    goes_on: bool  # if it is suspended
    gates: bool  # its run may wait for answers
    lets_go: bool = False  # which are nothing but Argo's own word: of a run of what is deployed


class Follower:
    """Looks after one workflow for the executor of one run."""

    def __init__(
        self,
        run: str,
        server: Workflows,
        bucket: Bucket,
        layout: Layout,
        *,
        here: Path,
        supply: Supply,
        patience: WaitingPods,
        least_s: float,
        most_s: float,
        mission: Mission,
    ) -> None:
        """`here`: the run folder."""
        self._mission = mission
        self.news: Inbox[News] = Inbox()
        self._name = workflow_name(run)
        self._server = server
        self._bucket = bucket
        self._layout = layout
        self._harvest = Harvest(bucket, layout, here)
        self._supply = supply
        self._least_s, self._most_s = least_s, most_s
        self._patience = patience
        self._orders: Inbox[Order] = Inbox()
        self._pending: list[Order] = []
        self._gates = Gates(server, self._name, done=lambda answer: self.news.put(Obeyed(order=answer)))
        self._answers = Answers(bucket, layout, here=here, tell=self.news.put)
        self._totals: Mapping[str, int] = {}
        self._submitting = False
        self._begun = False
        self._found = False
        self._over_since: float | None = None  # when the workflow was first seen to have ended
        self._paused = False
        self._suspended = False  # as it was last seen
        self._looked = False
        self._nodes_due = NodesDue()
        self._waits = Waits()
        self._waits_due = 0.0
        self._trouble = ""
        self._troubled_since: float | None = None  # by a server that does not answer
        self._last_news = time.monotonic()
        self._next_look = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"argo {self._name}", daemon=True)
        self._thread.start()

    def order(self, order: Order) -> None:
        """Has something done, in time; then there is news of it."""
        self._orders.put(order)

    def close(self, seconds: float) -> None:
        """Ends after what is under way, or when so many seconds have passed."""
        self._closing.set()
        self._orders.put(Resume())  # wakes it
        self._thread.join(seconds)
        self.news.close()

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._turn()
        except BaseException as error:  # noqa: BLE001  to be raised where somebody hears of it
            self.news.put(Broken(error=error))
        finally:
            self._server.close()
            self._orders.close()

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._orders.fd, select.POLLIN)
        idle = not (self._begun or self._pending)
        poll.poll(None if idle else 1000 * max(0.0, self._next_look - time.monotonic()))
        self._pending += self._orders.take()
        if self._closing.is_set():
            return
        self._set_aside()
        try:
            while self._pending:
                self._obey(self._pending[0])
                if isinstance(self._pending[0], Answer):  # done when Argo knows of it
                    del self._pending[0]
                else:
                    self._done()
            if self._begun and time.monotonic() >= self._next_look:
                self._look()
            self._say("")
            self._troubled_since = None
        except (OSError, SciflowError) as error:
            self._wait(error)
            self._judge(error)

    def _judge(self, error: OSError | SciflowError) -> None:
        """What may pass is tried again, for a while or for ever."""
        match error:
            case OSError(errno=code) if code in NO_ROOM:
                return
            case OSError() | HostFailed():
                if self._pending and self._troubled_s() > FAILED_S:
                    self._refused(str(error))
            case HostUnreachable():
                return
            case HostRefused() | ConfigError():
                self._refused(str(error))
            case _ if self._pending:
                self._refused(str(error))
            case _:
                self.news.put(Unreached(why=str(error)))

    def _wait(self, error: Exception) -> None:
        """Has the next try come later than the one before."""
        self._troubled_since = self._troubled_since or time.monotonic()
        pause = min(max(AGAIN_S, self._troubled_s()), max(AGAIN_S, self._most_s))
        self._next_look = time.monotonic() + pause
        if self._begun or isinstance(error, HostUnreachable | OSError):
            self._say(f"{error}; waiting")

    def _troubled_s(self) -> float:
        return time.monotonic() - (self._troubled_since or time.monotonic())

    def _refused(self, why: str) -> None:
        """An order comes to nothing, and whoever gave it hears why; without the first of all there is nothing to do.

        A run has failed only if its workflow could not be submitted: one that was there before may be at work.
        """
        if not self._begun:
            nothing = self._submitting or self._mission.fresh
            while self._pending:
                self._drop(self._pending[0], why, refused=not nothing)
            self.news.put(Refused(why=why) if nothing else Unreached(why=why))
        elif self._pending:
            if isinstance(self._pending[0], Revive):
                self.news.put(Refused(why=why))
            self._drop(self._pending[0], why)
            self._troubled_since, self._next_look = None, 0.0

    def _set_aside(self) -> None:
        """A workflow that is to be ended is ended first; of what was ordered before only files are brought then."""
        last = next((order for order in reversed(self._pending) if isinstance(order, End)), None)
        if last is None:
            return
        before = self._pending[: self._pending.index(last)]
        for order in before:
            if not isinstance(order, Fetch):
                self._drop(order, "the run was ended", refused=False)
        self._pending.remove(last)
        self._pending.insert(0, last)

    def _drop(self, order: Order, why: str, *, refused: bool = True) -> None:
        """An order comes to nothing; whoever gave it hears all that it waits for."""
        self._pending.remove(order)
        match order:
            case Fetch(paths=paths):
                self.news.put(Fetched(paths=paths, lost=dict.fromkeys(paths, why)))
            case Revive():
                self.news.put(Revived())
        self.news.put(Obeyed(order=order, refusal=why if refused else ""))

    def _done(self) -> None:
        """The first of the orders was obeyed."""
        self.news.put(Obeyed(order=self._pending.pop(0)))

    def _say(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self.news.put(Notice(text=text))

    def _obey(self, order: Order) -> None:
        self._next_look = 0.0
        match order:
            case Begin(totals=totals):
                self._begin(totals)
            case Revive():
                self._revive()
            case Answer(path=path, text=text):
                if self._answers.given(path) is None:
                    self._supply.send_answer(path, text)
                held = self._answers.given(path)  # somebody else may have been quicker
                self._gates.add(order)
                self._answers.tell(path, text if held is None else held)
            case Pause():
                self._server.suspend(self._name)
                self._paused = True
            case Resume():
                self._go_on()
            case End(halt=halt):
                self._end(halt)
            case Fetch(paths=paths):
                self.news.put(self._harvest.fetch(paths))

    def _end(self, halt: Halted) -> None:
        if not self._begun:  # the order to begin was set aside
            status = self._server.status(self._name, nodes=False)
            self._begun = self._found = status is not None or not self._mission.begins
            self._suspended = status is not None and (status.suspended or status.partial)
        if not self._begun:
            self.news.put(Refused(why="it was ended before it was submitted"))
            return
        suspended = self._paused or self._suspended
        end_workflow(self._server, self._name, self._bucket, self._layout, halt, suspended=suspended)
        self._paused = self._suspended = False

    def _begin(self, totals: Mapping[str, int]) -> None:
        self._totals = totals
        submits = self._mission.begins and self._mission.fresh
        there = self._there(nodes=not submits)  # also then: who is refused hears of it before anything is sent
        status = None if submits else there  # what has its name is another's, or an earlier try
        self._found = status is not None or not self._mission.begins
        if status is None and self._mission.begins:
            self._submitting = True
            self._submit()
        elif status is not None and status.suspended and self._mission.goes_on:
            self._server.resume(self._name)
        self._begun = True

    def _revive(self) -> None:
        self._supply.send()
        status = self._there(nodes=False)
        self._bucket.delete(self._layout.part(HALTED))
        if status is None or status.archived or not self._retried(status):
            self._there(nodes=False)  # or it is being removed, which is waited for
            self._submit()
        self._over_since = None
        self.news.put(Revived())

    def _retried(self, status: WorkflowStatus) -> bool:
        try:
            return self._server.retry(self._name, succeeded=status.phase == "Succeeded")
        except (HostRefused, HostFailed):
            now = self._there(nodes=False)
            if now is None or now.ended:
                raise
            return True  # somebody else was quicker

    def _go_on(self) -> None:
        if self._paused or self._suspended:
            self._server.resume(self._name)
            self._paused = self._suspended = False

    def _submit(self) -> None:
        """For the first time, or again after it was removed: then nobody is asked again what was answered."""
        self._supply.submit(self._totals)
        answers = self._layout.part(f"{ANSWERS}/")
        self._gates.recall(key.removeprefix(answers) for key in self._bucket.list(answers))

    def _there(self, *, nodes: bool) -> WorkflowStatus | None:
        """How far it is; None if there is none.

        Raises:
            HostUnreachable: it is being removed.
        """
        status = self._server.status(self._name, nodes=nodes)
        if status is not None and status.leaving:
            raise HostUnreachable(f"{self._server.url}: {self._name} is being removed")
        return status

    def _look(self) -> None:
        """Tells what is new."""
        asked = time.monotonic()
        first, self._looked = not self._looked, True
        begins = self._found and first
        status = self._seen_status(nodes=begins)  # first: what follows is all that had ended by then
        had_ended = status.ended
        least_s = max(self._least_s, COSTS * (time.monotonic() - asked))  # the larger it is, the more Argo has to do
        before = self._last_news
        for ends in self._harvest.news(status if begins and not status.ended else None):
            self._last_news = time.monotonic()
            self.news.put(ends)
        fresh = self._last_news > before
        if self._mission.gates:
            self._gates.recall(self._answers.look())  # whoever gave one may have come to an end before Argo knew of it
        now = time.monotonic()
        silent = now - self._last_news >= SILENT_S or bool(self._waits.given_up)
        asks = silent and now >= self._waits_due and not status.ended
        paused = self._paused or status.suspended
        refused: HostFailed | HostRefused | None = None
        if status.ended or paused or self._gates or asks or self._mission.lets_go or self._nodes_due.holds(status):
            asked = time.monotonic()
            status = status if status.gone else self._seen_status(nodes=True)
            self._nodes_due.looked(status, time.monotonic() - asked)
            refused = self._let_go(status)  # what has ended is told all the same
        if status.ended and not had_ended:  # since it was asked: what it has left last is not listed yet
            self._next_look = 0.0
            return
        self._suspended = status.suspended
        if asks or status.ended or (fresh and not silent):
            self._tell_waits(self._patience.look(status) if asks else Waits())
        over = self._is_over(status, first=first)
        halted = read_halted(self._bucket, self._layout, status)
        self.news.put(CaughtUp(status=status, over=over, found=self._found and not status.gone, halted=halted))
        quiet = now - self._last_news
        late_s = SILENT_S - quiet if quiet < SILENT_S else self._most_s  # when it is asked what pods wait for
        pause = min(max(least_s, FASTER * quiet), self._most_s, max(late_s, least_s))
        self._next_look = now + (self._least_s if self._gates.awaited else pause)
        if refused is not None:
            raise refused

    def _let_go(self, status: WorkflowStatus) -> HostFailed | HostRefused | None:
        """Has suspended nodes go on that are answered, and tells of those that did without; why it was refused."""
        self._answers.pass_by(status.passed if self._mission.lets_go else ())
        try:
            self._gates.release(status)
        except (HostFailed, HostRefused) as error:
            return error
        return None

    def _seen_status(self, *, nodes: bool) -> WorkflowStatus:
        """How far it is; what was not looked at is as it was."""
        status = self._server.status(self._name, nodes=nodes)
        if status is None:
            return WorkflowStatus(phase="Error", gone=True, message=f"{self._server.url}: {self._name} {GONE}")
        return msgspec.structs.replace(status, suspended=self._suspended) if status.partial else status

    def _is_over(self, status: WorkflowStatus, *, first: bool) -> bool:
        """Whether nothing more comes of it; `first`: nobody has looked before, and it may have ended long ago."""
        if not status.ended:
            self._over_since = None
            return False
        now = time.monotonic()
        if self._over_since is None:
            ago_s = time.time() - status.finished.timestamp() if first and status.finished is not None else 0.0
            self._over_since = now - max(0.0, ago_s)
        return status.gone or now - self._over_since >= (LATE_S if "Stopped" in status.message else SETTLED_S)

    def _tell_waits(self, waits: Waits) -> None:
        if waits != self._waits or waits.given_up:
            self._waits = waits
            self.news.put(Waiting(waits=waits))
        self._waits_due = time.monotonic() + (self._least_s if waits.given_up else SILENT_S)
