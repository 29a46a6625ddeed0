"""Carries a run out: asks the scheduler what is next, hands it to executors, writes down what came of it.

One loop in one thread. Each turn hands out what is ready, commits what has ended, and waits until there is news. State
lies in the run's folder only: an engine that dies leaves nothing that the next one needs.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable

from sciflow.core.job import job_of, position_of
from sciflow.core.records import Phase, Progress
from sciflow.engine.answers import given_answers
from sciflow.engine.brakes import Brakes
from sciflow.engine.broadcast import Broadcast
from sciflow.engine.collector import rare_collection
from sciflow.engine.endings import ending_of
from sciflow.engine.freight import Freight
from sciflow.engine.halt import Halt, Level
from sciflow.engine.helm import Helm
from sciflow.engine.journal import Ending
from sciflow.engine.lookups import Lookups
from sciflow.engine.outcome import Outcome
from sciflow.engine.parts import Parts
from sciflow.engine.patience import Patience
from sciflow.engine.replies import Replies
from sciflow.engine.resting import Rest
from sciflow.engine.standing import outcome_of
from sciflow.engine.stowage_making import keep_all
from sciflow.errors import RunDamaged
from sciflow.executors.executor import (
    Advanced,
    Answered,
    Brought,
    Denied,
    Died,
    Ended,
    Identified,
    Lost,
    Noticed,
    Report,
    Steered,
)

LOOK_COSTS = 20  # times the time that a look takes pass until the next one
CARRYING_S = 0.05  # between looks whether large files are here
COMMIT_S = 0.01  # between commits while many short tasks end
NAP_S = 0.001  # when no worker will run dry meanwhile, so that many ends are taken in one turn


class Engine:
    """The engine of one run, once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._scheduler = parts.scheduler
        self._outliving = {name for name, executor in parts.executors.items() if executor.outlives}
        self._db = parts.db
        self._swept = False  # all files were looked at that belong into the run's storage
        self._exited = False  # the exit handler was begun, or there is none
        self._next_commit = 0.0
        self._calm = False  # no news is urgent
        self._replies = Replies(parts.scheduler, parts.db, parts.conductor)
        self._rest = Rest(parts.db, lasting=parts.follows)
        self._lookups = Lookups(parts)
        self._freight = Freight(parts.executors, parts.folder.root, parts.stowage, home=parts.home)
        self._brakes = Brakes(parts, self._freight)
        self._helm = helm = Helm(parts, brakes=self._brakes, replies=self._replies, rest=self._rest)
        self._broadcast = Broadcast(parts, why=lambda: helm.halt.why)
        patience = Patience(
            limit_s=lambda: parts.full_disk_wait_s,
            say=self._broadcast.notify,
            ends=lambda: helm.halt.level > Level.NONE,
        )
        parts.db.insist = parts.values.insist = patience.insist

    def halt(self, halt: Halt) -> None:
        """Asks the engine to end; safe to call from a signal handler. A weaker halt than the present one is ignored."""
        self._helm.order(halt)

    def run(self) -> Outcome:
        """Carries the run on until it has ended, waits for somebody, or was halted."""
        with rare_collection():
            self._scheduler.start(self._parts.inputs)
            if self._parts.conductor is not None:
                answers = given_answers(self._db, self._parts.spec, self._parts.folder.root)
                self._parts.conductor.begin(self._scheduler.totals(), answers)
            return self._loop()

    def _loop(self) -> Outcome:
        while True:
            self._look()
            self._lookups.go_on()
            if self._helm.halt.level is Level.NONE:
                self._dispatch()
            self._commit()
            self._replies.hand_on()
            outcome = self._outcome()
            if outcome is None or not self._complete(outcome) or self._rest.lasts(outcome):
                if outcome is None:
                    self._rest.end()
                self._wait()
                self._collect()
            elif not self._begin_exit(outcome):
                for why in self._freight.given_up(outcome.result):
                    self._broadcast.notify(f"the run's result has no file: {why}")
                self._broadcast.show(outcome)
                self._write()
                return outcome

    def _outcome(self) -> Outcome | None:
        halt, ended = self._helm.halt, self._scheduler.outcome
        home = ended is None or not halt.leaves or self._freight.bring(ended.result)
        return outcome_of(self._scheduler, halt, asking=self._lookups.busy, home=home, outliving=self._outliving)

    def _complete(self, outcome: Outcome) -> bool:
        """Whether nothing is left to be taken back, and all files are where they belong at the end.

        An engine that was told to leave waits for neither, one that rests not for files.
        """
        halt, conductor = self._helm.halt, self._parts.conductor
        self._conclude(outcome, halt)
        if not halt.interrupts:
            if not all(executor.settled for executor in self._parts.executors.values()):
                return False
            if outcome.phase is Phase.SUSPENDED and conductor is not None and not conductor.informed:
                return False  # somebody may have given an answer
        brought = self._freight.bring(outcome.result)
        if halt.leaves or outcome.phase is Phase.SUSPENDED or not brought:
            return brought
        if not self._swept and self._parts.stowage is not None:
            self._swept = True
            keep_all(self._parts.stowage, self._parts.folder.root, self._db)
        return self._freight.kept

    def _conclude(self, outcome: Outcome, halt: Halt) -> None:
        """Has the run come to its end also where it is carried out as a whole."""
        if outcome.phase is Phase.FAILED and halt.ends:
            self._brakes.end_whole(halt)
        elif outcome.phase is Phase.FAILED and outcome.error is not None:  # else of a task, whose end is known there
            self._brakes.fail(outcome.error)
        if outcome.phase is not Phase.SUSPENDED:
            self._brakes.let_go()

    def _begin_exit(self, outcome: Outcome) -> bool:
        """Starts the exit handler, if the run has ended and there is one that has not run."""
        if self._exited or outcome.phase is Phase.SUSPENDED or not self._helm.halt.exit_handler:
            return False
        self._exited, self._swept = True, False
        self._helm.begin_exit()
        self._lookups.forget()
        self._db.put_fact("exit-phase", outcome.phase.value)
        return self._scheduler.begin_exit(outcome)

    # --- one turn

    def _look(self) -> None:
        """Looks, now and then, at what comes from outside; then those outside are shown how the run stands."""
        if time.monotonic() < self._helm.next_look:
            return
        if not self._parts.folder.database.exists():
            raise RunDamaged(f"{self._parts.folder.root}: the run's folder was deleted or moved while it ran")
        self._helm.look()
        self._helm.put_off(LOOK_COSTS * self._broadcast.show())

    def _dispatch(self) -> None:
        now = time.monotonic()
        held: set[str] = set()  # executors on which a task waits for more cores or memory than are free
        for need in self._scheduler.needs():
            executor = self._parts.executors[need.executor]
            while need.executor not in held:
                ready = self._scheduler.next_template(need, throttled=executor.throttles)
                if ready is None:
                    break
                template, remaining, at_once = ready
                offer = executor.offer(need, template, remaining=remaining, at_once=at_once)
                if offer.slices == 0:
                    held |= {need.executor} if offer.holds else set()
                    break
                job = self._scheduler.take(need, offer.slices)
                if job is not None:
                    step = self._scheduler.in_flight[job.id].run.step
                    step.started = step.started or now
                    self._take(self._freight.submit(need.executor, job), now)

    def _commit(self) -> None:
        """Writes down what has ended: at once, but while workers are busy with short tasks not in every turn."""
        now = time.monotonic()
        if self._calm and now < self._next_commit:
            return
        self._next_commit = now + COMMIT_S
        self._parts.probe.commit()  # first: what a crash leaves unrecorded is then found in the cache
        self._write()

    def _write(self) -> None:
        self._db.commit()
        self._helm.settle()

    def _wait(self) -> None:
        poll = select.poll()
        until, calm = self._helm.next_look - time.monotonic(), True
        for executor in self._parts.executors.values():
            watch = executor.watch()
            for fd in watch.read:
                poll.register(fd, select.POLLIN)
            for fd in watch.write:
                poll.register(fd, select.POLLOUT)
            calm = calm and watch.calm
            until = min(until, watch.seconds) if watch.seconds is not None else until
        until = min(until, CARRYING_S) if self._parts.probe.carries else until
        wake = self._scheduler.next_wake()
        until = min(until, wake - time.monotonic()) if wake is not None else until
        self._calm = calm
        if calm:
            time.sleep(NAP_S)
        poll.poll(max(0.0, until) * 1000)

    def _collect(self) -> None:
        now = time.monotonic()
        self._scheduler.wake(now)
        for executor in self._parts.executors.values():
            self._take(executor.poll(), now)

    def _take(self, reports: Iterable[Report], now: float) -> None:
        for report in reports:
            self._take_one(report, now)

    def _take_one(self, report: Report, now: float) -> None:
        match report:
            case Ended(reply=reply):
                self._finish(reply.number, ending_of(report), now)
            case Died(number=number):
                self._finish(number, ending_of(report), now)
            case Brought():
                self._take(self._freight.brought(report), now)
            case _:
                self._hear(report)

    def _hear(self, report: Lost | Progress | Advanced | Identified | Noticed | Denied | Answered | Steered) -> None:
        match report:
            case Lost(numbers=numbers):
                positions: dict[int, list[int]] = {}
                for number in numbers:
                    positions.setdefault(job_of(number), []).append(position_of(number))
                for job, lost in positions.items():
                    self._scheduler.lost(job, lost)
            case Progress() | Advanced():
                self._broadcast.hear(report)
            case Identified():
                self._lookups.identified(report)
            case Noticed(text=text, passing=passing):
                (self._broadcast.mention if passing else self._broadcast.notify)(text)
            case Denied(why=why):
                self._helm.denied(report)
                self._broadcast.notify(f"it was asked to end or to pause, and goes on: {why}")
            case Answered():
                self._replies.hear(report)
            case Steered():
                self._steer(report)

    def _steer(self, said: Steered) -> None:
        """Has done what somebody else asks of the run, as long as there is something to steer."""
        if self._scheduler.outcome is None and (said.level == "leave" or not self._exited):
            self._helm.steered(said, busy=self._lookups.busy)

    def _finish(self, number: int, ending: Ending, now: float) -> None:
        flight = self._scheduler.in_flight[job_of(number)]
        if self._parts.conductor is None:
            flight.run.step.ended = now
        else:  # it may have ended long before that is heard of
            flight.run.step.hear(now - time.time(), ending.started, ending.seconds)
        self._freight.keep(ending.output)
        if flight.job.policy.cache and ending.phase is Phase.SUCCEEDED:
            assert ending.output is not None
            self._parts.probe.learn(flight.run, flight.job, position_of(number), ending.output, ending.extra)
        interrupted = self._helm.halt.level is Level.KILL and not self._helm.halt.ends
        if interrupted and ending.phase is not Phase.SUCCEEDED:
            self._scheduler.lost(flight.job.id, [position_of(number)])  # not failed: to be run again
            return
        self._scheduler.finish(flight.job.id, position_of(number), ending, now)
