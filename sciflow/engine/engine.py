"""Carries a run out: asks the scheduler what is next, hands it to executors, writes down what came of it.

One loop in one thread. Each turn hands out what is ready, commits what has ended, and waits until there is news. State
lies in the run's folder only: an engine that dies leaves nothing that the next one needs.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable

from sciflow.core.graph import OpTemplate
from sciflow.core.job import job_of, position_of
from sciflow.core.records import Phase, Progress, TaskError
from sciflow.engine.activation import NodeRun
from sciflow.engine.answers import given_answers
from sciflow.engine.binding import BindingError
from sciflow.engine.broadcast import Broadcast
from sciflow.engine.collector import rare_collection
from sciflow.engine.control import Inbox, Request, Verb
from sciflow.engine.endings import ending_of
from sciflow.engine.freight import Freight
from sciflow.engine.journal import Ending
from sciflow.engine.parts import Halt, Level, Parts
from sciflow.engine.patience import Patience
from sciflow.engine.replies import Replies
from sciflow.engine.resting import Rest
from sciflow.engine.standing import outcome_of
from sciflow.engine.stowage_making import keep_all
from sciflow.engine.walk import Outcome
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
from sciflow.executors.registry import LOCAL

LOOK_S = 0.25  # between looks at requests, time limit and watchers
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
        self._halt = Halt()
        self._swept = False  # all files were looked at that belong into the run's storage
        self._exited = False  # the exit handler was begun, or there is none
        self._withdrawn = False  # executors were told to begin nothing more
        self._timed_out = False
        self._next_look = 0.0
        self._next_commit = 0.0
        self._calm = False  # no news is urgent
        self._unidentified: dict[str, list[NodeRun]] = {}  # by template: nodes that wait for its identity
        self._replies = Replies(parts.scheduler, parts.db, parts.conductor)
        self._rest = Rest(parts.db, lasting=parts.follows)
        self._inbox = Inbox(parts.folder.part("control"))
        self._broadcast = Broadcast(parts, why=lambda: self._halt.why)
        self._freight = Freight(parts.executors, parts.folder.root, parts.stowage, home=parts.home)
        patience = Patience(
            limit_s=parts.full_disk_wait_s, say=self._broadcast.notify, ends=lambda: self._halt.level > Level.NONE
        )
        parts.db.insist = parts.values.insist = patience.insist

    def halt(self, halt: Halt) -> None:
        """Asks the engine to end; safe to call from a signal handler. A weaker halt than the present one is ignored."""
        if (holds := self._halt.followed_by(halt)) is not self._halt:
            self._halt, self._next_look = holds, 0.0

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
            self._probe()
            if self._halt.level is Level.NONE:
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
        asks = bool(self._unidentified) or self._parts.probe.carries
        ended = self._scheduler.outcome
        home = ended is None or not self._halt.leaves or self._freight.bring(ended.result)
        return outcome_of(self._scheduler, self._halt, asking=asks, home=home, outliving=self._outliving)

    def _complete(self, outcome: Outcome) -> bool:
        """Whether nothing is left to be taken back, and all files are where they belong at the end.

        An engine that was told to leave waits for neither, one that rests not for files.
        """
        interrupted = self._halt.level >= Level.STOP and not self._halt.ends
        conductor = self._parts.conductor
        if conductor is not None and self._halt.ends and outcome.phase is Phase.FAILED:
            killed = self._halt.level is Level.KILL
            conductor.end(exit_handler=self._halt.exit_handler, killed=killed, why=self._halt.why)
        if not interrupted and not all(executor.settled for executor in self._parts.executors.values()):
            return False
        if outcome.phase is Phase.SUSPENDED and not interrupted and conductor is not None and not conductor.informed:
            return False  # somebody may have given an answer
        brought = self._freight.bring(outcome.result)
        if self._halt.leaves or outcome.phase is Phase.SUSPENDED or not brought:
            return brought
        if not self._swept and self._parts.stowage is not None:
            self._swept = True
            keep_all(self._parts.stowage, self._parts.folder.root, self._db)
        return self._freight.kept

    def _begin_exit(self, outcome: Outcome) -> bool:
        """Starts the exit handler, if the run has ended and there is one that has not run."""
        if self._exited or outcome.phase is Phase.SUSPENDED or not self._halt.exit_handler:
            return False
        self._exited, self._swept, self._withdrawn = True, False, False
        self._halt = Halt()
        self._parts.deadline = None  # the handler has its own
        self._unidentified.clear()
        self._parts.probe.forget()
        self._db.put_fact("exit-phase", outcome.phase.value)
        return self._scheduler.begin_exit(outcome)

    # --- one turn

    def _probe(self) -> None:
        self._parts.probe.arrived(self._scheduler, self._parts.spec.templates)
        while self._scheduler.probes:
            run = self._scheduler.probes.popleft()
            template = self._parts.spec.templates[run.node.template]
            assert isinstance(template, OpTemplate)
            if self._parts.probe.must_ask(run, template):
                self._ask(run, template)
                continue
            try:
                self._parts.probe.settle(self._scheduler, run, template, self._scheduler.need(run))
            except BindingError as error:
                self._scheduler.fail(run, error)

    def _ask(self, run: NodeRun, template: OpTemplate) -> None:
        """Has this machine load an op's code and tell by what it is known: a job without tasks."""
        self._unidentified.setdefault(template.name, []).append(run)
        if len(self._unidentified[template.name]) == 1:
            need = self._scheduler.need(run)
            self._parts.executors[LOCAL].submit(self._scheduler.empty_job(run, need))

    def _identified(self, report: Identified) -> None:
        self._parts.probe.identify(report.template, report.identity)
        self._scheduler.probes.extend(self._unidentified.pop(report.template, ()))

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
        conductor = self._parts.conductor
        self._inbox.settle(self._replies.unsettled, halted=conductor is None or conductor.settled)

    def _wait(self) -> None:
        poll = select.poll()
        until, calm = self._next_look - time.monotonic(), True
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
                self._identified(report)
            case Noticed() | Denied():
                self._told(report)
            case Answered():
                self._replies.hear(report)
            case Steered():
                self._steer(report)

    def _finish(self, number: int, ending: Ending, now: float) -> None:
        flight = self._scheduler.in_flight[job_of(number)]
        flight.run.step.ended = now
        self._freight.keep(ending.output)
        if flight.job.policy.cache and ending.phase is Phase.SUCCEEDED:
            assert ending.output is not None
            self._parts.probe.learn(flight.run, flight.job, position_of(number), ending.output, ending.extra)
        interrupted = self._halt.level is Level.KILL and not self._halt.ends
        if interrupted and ending.phase is not Phase.SUCCEEDED:
            self._scheduler.lost(flight.job.id, [position_of(number)])  # not failed: to be run again
            return
        self._scheduler.finish(flight.job.id, position_of(number), ending, now)

    # --- what comes from outside

    def _look(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_S
        if not self._parts.folder.database.exists():
            raise RunDamaged(f"{self._parts.folder.root}: the run's folder was deleted or moved while it ran")
        for request in self._inbox.collect():
            self._obey(request)
        self._replies.give()
        if self._parts.deadline is not None and time.monotonic() > self._parts.deadline:
            self._timed_out = True
            self.halt(Halt(Level.KILL, "the run took longer than its time limit", ends=True))
        if self._halt.level is Level.KILL:
            self._kill()
        elif self._halt.level is Level.PAUSE or self._halt.ends:
            self._withdraw()
        self._next_look += LOOK_COSTS * self._broadcast.show()

    def _kill(self) -> None:
        error = TaskError(kind="cancelled", type="sciflow:Cancelled", message=self._halt.why)
        self._take_unsent()
        if self._parts.conductor is not None and self._halt.ends:
            exits, why = self._halt.exit_handler, self._halt.why
            self._parts.conductor.end(exit_handler=exits, killed=True, why=why)
        for executor in self._parts.executors.values():
            if self._halt.ends or not executor.outlives:
                executor.cancel(list(self._scheduler.in_flight), error)

    def _withdraw(self) -> None:
        if not self._withdrawn:
            self._withdrawn = True
            self._take_unsent()
            for executor in self._parts.executors.values():
                executor.withdraw()

    def _take_unsent(self) -> None:
        """Takes back the jobs that wait for files, and so were handed to no executor."""
        for job in self._freight.cancel(self._scheduler.in_flight):
            self._scheduler.lost(job, range(len(self._scheduler.in_flight[job].job.slices)))

    def _obey(self, request: Request) -> None:
        match request:
            case Request(verb=Verb.STOP):
                self.halt(Halt(Level.STOP, "the run was stopped", ends=True))
            case Request(verb=Verb.TERMINATE):
                self.halt(Halt(Level.KILL, "the run was terminated", ends=True, exit_handler=False))
            case Request(verb=Verb.SUSPEND):
                self.halt(Halt(Level.PAUSE, "the run was suspended"))
            case Request(verb=Verb.RESUME, node=""):
                self._go_on()
                if self._parts.conductor is not None:
                    self._parts.conductor.go_on()
            case Request(verb=Verb.RESUME, node=node, value=value):
                self._rest.end()
                self._replies.take(node, self._parts.probe.taken(value))
        self._db.put_event(time.time(), request.verb.value, request.node)

    def _told(self, report: Noticed | Denied) -> None:
        match report:
            case Noticed(text=text, passing=passing):
                (self._broadcast.mention if passing else self._broadcast.notify)(text)
            case Denied(why=why, ends=ends):
                self._inbox.refuse(why)
                if self._halt.level < Level.KILL or (ends and self._halt.ends):
                    self._halt, self._withdrawn = Halt(), False
                if ends and self._timed_out:  # else it would be asked again all the time
                    self._parts.deadline = None
                self._broadcast.notify(f"it was asked to end or to pause, and goes on: {why}")

    def _steer(self, said: Steered) -> None:
        """Does what somebody else has asked of the run; its end is told again as long as the run goes on here."""
        if self._scheduler.outcome is not None or (self._exited and said.level != "leave"):
            return
        busy = bool(self._unidentified) or self._parts.probe.carries
        match said.level:
            case "pause":
                self.halt(Halt(Level.PAUSE, said.why))
            case "go on":
                self._go_on()
            case "leave":
                self.halt(Halt(Level.KILL, said.why))
            case "stop" if not busy:
                self.halt(Halt(Level.STOP, said.why, ends=True))
            case "kill" if not busy:
                self.halt(Halt(Level.KILL, said.why, ends=True, exit_handler=said.exit_handler))

    def _go_on(self) -> None:
        self._withdrawn = False
        self._halt = Halt() if self._halt.level is Level.PAUSE else self._halt
        self._rest.end()
