"""Decides which tasks run next. Pure: no clock, no file, no thread, no network.

The engine tells it what happened (`finish`, `lost`, `answer`, `wake`) and asks for jobs (`take`). What it needs to
know or to have written down goes through `Journal` and `Values`; which nodes may begin is told by `GraphWalk`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from sciflow.core.graph import OpTemplate, WorkflowSpec
from sciflow.core.job import NUMBER_BITS, SINGLE, Job, Need
from sciflow.core.keys import KEY_RULE, is_key
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine import binding
from sciflow.engine.activation import NodeRun, StepCount
from sciflow.engine.binding import BindingError
from sciflow.engine.jobs import job_of
from sciflow.engine.journal import Ending, Journal, Values
from sciflow.engine.limits import Limits
from sciflow.engine.outcome import Outcome
from sciflow.engine.queue import ReadyQueue
from sciflow.engine.retries import Retries
from sciflow.engine.walk import GraphWalk

MOST_SLICES = 1 << NUMBER_BITS  # of a job; see `core.job`
OPEN_AHEAD = 256  # nodes with ready tasks, up to which further slices of a fan over a sub-workflow are opened


class InFlight(msgspec.Struct, eq=False):
    """A job that was handed out, and how many of its tasks have not been reported."""

    job: Job
    run: NodeRun
    left: int


class Scheduler:
    """The tasks of one run: ready, handed out, waiting for their back-off."""

    def __init__(
        self,
        spec: WorkflowSpec,
        *,
        journal: Journal,
        values: Values,
        limits: Limits,
        executors: Sequence[str] = ("local",),
        conducted: bool = False,
        keys: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`executors` names those there are, the default first; `keys` names the tasks of keys that are taken.

        `conducted`: the default carries out the whole run, and sees to it itself where its nodes run.
        """
        self.spec = spec
        self.probes: deque[NodeRun] = deque()  # nodes whose tasks may be known from elsewhere; see `release`
        self.in_flight: dict[int, InFlight] = {}
        self._journal = journal
        self._values = values
        self._limits = limits
        self._executors = executors
        self._conducted = conducted
        self._walk = GraphWalk(spec, journal=journal, values=values, ready=self._make_ready)
        self._ready = ReadyQueue()
        self._retries = Retries()
        self._serial = 0  # of the last job
        self._keys = dict(keys)  # key -> task path

    # --- the run as a whole

    @property
    def steps(self) -> Mapping[str, StepCount]:
        """What each step has come to so far."""
        return self._walk.steps

    @property
    def outcome(self) -> Outcome | None:
        """What the run came to, once all of it has ended."""
        return self._walk.outcome

    @property
    def gates(self) -> Mapping[str, NodeRun]:
        """The suspended nodes by path."""
        return self._walk.gates

    def totals(self) -> dict[str, int]:
        """How many tasks the nodes of the run's own graph have, by id, as far as that is known; 0 of skipped ones."""
        return self._walk.totals()

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight, ready, held up or waiting for its back-off."""
        return not (self.in_flight or len(self._ready) or len(self._retries) or self.probes)

    def start(self, inputs: Mapping[str, bytes]) -> None:
        """Opens the workflow."""
        self._walk.start(inputs)
        self._settle()

    def begin_exit(self, outcome: Outcome) -> bool:
        """Starts the exit handler with the run's phase, if there is one; `outcome` is given again when it has ended."""
        self._ready, self._retries = ReadyQueue(), Retries()  # of a run that was stopped nothing else goes on
        begun = self._walk.begin_exit(outcome)
        self._settle()
        return begun

    def answer(self, path: str, value: bytes) -> None:
        """Ends a suspended node with the value given for it."""
        self._walk.answer(path, value)
        self._settle()

    # --- handing out

    def needs(self) -> list[Need]:
        """The needs for which tasks are ready."""
        return self._ready.needs()

    def next_template(self, need: Need, *, throttled: bool = False) -> tuple[str, int, int | None] | None:
        """The op whose tasks come next for a need, how many are ready, and may be at work; blocked nodes are set aside.

        `throttled`: their place itself keeps to the number of slices that a fan may have at work.
        """
        while (run := self._ready.first(need)) is not None:
            limit = self._limits.blocker(run, throttled=throttled)
            if limit is None:
                assert run.tasks is not None
                return run.node.template, run.tasks.left, binding.fan_of(run).parallelism
            self._ready.park(need, limit)
        return None

    def take(self, need: Need, slices: int) -> Job | None:
        """The next job for a need, of at most `slices` slices; call `next_template` before."""
        run = self._ready.first(need)
        if run is None or run.tasks is None:
            return None
        picked = run.tasks.pick(min(binding.fan_of(run).chunk or slices, MOST_SLICES))
        if run.tasks.left <= 0:
            self._ready.pop(need)
        if not picked:
            return None
        job = self._job(run, need, picked)
        self.in_flight[job.id] = InFlight(job, run, len(picked))
        self._limits.enter(run)
        run.step.running += len(picked)
        return job

    def empty_job(self, run: NodeRun, need: Need) -> Job:
        """A job without tasks: the code is loaded and identified, nothing is run."""
        return self._job(run, need, ())

    def _job(self, run: NodeRun, need: Need, picked: Sequence[int]) -> Job:
        template = self.spec.templates[run.node.template]
        assert isinstance(template, OpTemplate)
        self._serial += 1
        return job_of(run, template, need, picked, id_=self._serial, key=lambda slice_: self.key(run, slice_))

    # --- what came of it

    def finish(self, job_id: int, position: int, ending: Ending, now: float) -> None:
        """An attempt of a task has ended."""
        flight = self.in_flight[job_id]
        job, run = flight.job, flight.run
        slice_, attempt = job.slices[position], job.attempts[position]
        run.step.running -= 1
        if self._retries.plan(run, slice_, attempt, ending, now):
            self._journal.attempt(run, slice_, attempt, ending)
            self._leave(flight)
            return
        concluded = self._walk.end_task(run, slice_, attempt, job.keys[position], ending)
        self._leave(flight)
        if concluded:
            self._settle()

    def lost(self, job_id: int, positions: Sequence[int]) -> None:
        """Tasks that were handed out and never began: they are ready again."""
        flight = self.in_flight[job_id]
        flight.run.step.running -= len(positions)
        for position in positions:
            self._again(flight.run, flight.job.slices[position])
            self._leave(flight)

    def _leave(self, flight: InFlight) -> None:
        flight.left -= 1
        if flight.left == 0:
            del self.in_flight[flight.job.id]
            for limit in self._limits.leave(flight.run):
                self._ready.release(limit)

    def wake(self, now: float) -> None:
        """Makes ready what has waited out its back-off."""
        for run, slice_ in self._retries.due(now):
            self._again(run, slice_)

    def next_wake(self) -> float | None:
        """When `wake` has something to do."""
        return self._retries.next_due()

    def _again(self, run: NodeRun, slice_: int) -> None:
        assert run.tasks is not None
        waits = run.tasks.left > 0  # the node is in the queue already
        run.tasks.again.append(slice_)
        if not waits:
            self._ready.push(self.need(run), run)

    def _settle(self) -> None:
        self._walk.settle(lambda: len(self._ready) < OPEN_AHEAD)

    # --- before a task is run

    def _make_ready(self, run: NodeRun) -> None:
        if run.node.policy.cache or run.node.key is not None:
            self.probes.append(run)
        else:
            self._ready.push(self.need(run), run)

    def need(self, run: NodeRun) -> Need:
        """Where and with what a node's tasks run.

        Raises:
            BindingError: the place has no value, or there is no such executor.
        """
        need = binding.need_of(run, self._values, self._executors[0])
        if self._conducted:
            return msgspec.structs.replace(need, executor=self._executors[0])
        if need.executor not in self._executors:
            raise BindingError(f"there is no executor {need.executor!r}; known: {', '.join(self._executors)}")
        return need

    def key(self, run: NodeRun, slice_: int) -> str | None:
        """The user's key of a task."""
        assert run.tasks is not None
        return binding.key_of(run, slice_, run.tasks.elements(slice_), self._values) if run.node.key else None

    def claim(self, run: NodeRun, slice_: int) -> str | None:
        """The task's key, now taken; a task whose key will not do has failed, and None is returned."""
        key = self.key(run, slice_)
        path = run.path if slice_ == SINGLE else f"{run.path}/{slice_}"
        if key is None or (is_key(key) and self._keys.setdefault(key, path) == path):
            return key
        why = f"is taken by {self._keys[key]}" if key in self._keys else f"needs {KEY_RULE}"
        error = TaskError(kind="contract", type="sciflow:InvalidKey", message=f"key {key!r} {why}")
        self._walk.end_task(run, slice_, 1, None, Ending(Phase.FAILED, extra=Extra(error=error)))
        return None

    def known(self, run: NodeRun, slice_: int, key: str | None, ending: Ending) -> None:
        """A probed task's outcome is known from elsewhere."""
        run.step.cached += ending.phase is Phase.SUCCEEDED
        self._walk.end_task(run, slice_, 1, key, ending)

    def release(self, run: NodeRun) -> None:
        """All is said about a probed node: its other tasks are to be run."""
        assert run.tasks is not None
        run.tasks.known = run.tasks.known or run.tasks.ended > 0
        if run.tasks.ended < run.tasks.total:
            self._ready.push(self.need(run), run)
        self._settle()

    def fail(self, run: NodeRun, error: BindingError) -> None:
        """A probed node for which an expression has no value."""
        self._walk.fail(run, error)
        self._settle()
