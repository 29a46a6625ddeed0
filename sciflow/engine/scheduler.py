"""Decides what runs next. Pure: no clock, no file, no thread, no network.

The engine tells it what happened (`finish`, `lost`, `answer`, `wake`) and asks for jobs (`take`). What it needs to
know or to have written down goes through `Journal` and `Values`. Endings spread along the graph by work lists, so that
neither a long chain nor deep recursion costs stack.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sciflow.core.expr import Input
from sciflow.core.graph import Graph, Node, OpTemplate, Policy, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE, Job, Need
from sciflow.core.keys import KEY_RULE, is_key
from sciflow.core.ports import ANY, Port, Type
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount, TaskSet, step_path
from sciflow.engine.binding import BindingError
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.journal import Ending, Journal, Values
from sciflow.engine.limits import Limits
from sciflow.engine.queue import ReadyQueue

EXIT_NODE = "on-exit"
RETRIED_KINDS = frozenset({"died", "place"})  # the place's fault, not the op's
OPEN_AHEAD = 256  # nodes with ready tasks, up to which further slices of a fan over a sub-workflow are opened


class InFlight(msgspec.Struct, eq=False):
    """A job that was handed out, and how many of its tasks have not been reported."""

    job: Job
    run: NodeRun
    left: int


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to."""

    phase: Phase
    result: bytes = b"null"
    error: TaskError | None = None
    because: str = ""


def may_retry(error: TaskError, policy: Policy, attempt: int) -> bool:
    """Whether an attempt that failed so is followed by another."""
    if error.fatal or attempt > policy.retries:
        return False
    named = any(name in policy.retry_on for name in (error.type, *error.bases))
    return error.transient or error.kind in RETRIED_KINDS or named


class Scheduler:
    """The state of one run, from its first node to its outcome."""

    def __init__(
        self,
        spec: WorkflowSpec,
        *,
        journal: Journal,
        values: Values,
        limits: Limits,
        executors: Sequence[str] = ("local",),
    ) -> None:
        self.steps: dict[str, StepCount] = {}
        self.outcome: Outcome | None = None
        self.gates: dict[str, NodeRun] = {}  # suspended nodes by path
        self.probes: deque[NodeRun] = deque()  # nodes whose tasks may be known from elsewhere; see `release`
        self.in_flight: dict[int, InFlight] = {}
        self.spec = spec
        self._journal = journal
        self._values = values
        self._limits = limits
        self._executors = executors  # known ones, the default first
        self._index = index_spec(spec)
        self._ready = ReadyQueue()
        self._delayed: list[tuple[float, int, int, NodeRun]] = []  # due, order, slice
        self._beginning: deque[NodeRun] = deque()
        self._ending: deque[NodeRun] = deque()
        self._unopened: deque[NodeRun] = deque()
        self._exiting: Outcome | None = None  # what the run came to before its exit handler
        self._serial = 0
        self._keys: dict[str, str] = {}  # key -> task path

    # --- what the engine calls

    def start(self, inputs: Mapping[str, bytes]) -> None:
        """Opens the workflow."""
        index = self._index[self.spec.entry]
        self._open(binding.graph_inputs(index.graph, dict(inputs)), template=self.spec.entry, prefix="", parent=None)
        self._settle()

    def needs(self) -> list[Need]:
        """The needs for which tasks are ready."""
        return self._ready.needs()

    def next_template(self, need: Need) -> tuple[str, int] | None:
        """The op whose tasks come next for a need, and how many of them are ready; blocked nodes are set aside."""
        while (run := self._ready.first(need)) is not None:
            limit = self._limits.blocker(run)
            if limit is None:
                assert run.tasks is not None
                return run.node.template, run.tasks.left
            self._ready.park(need, limit)
        return None

    def take(self, need: Need, slices: int) -> Job | None:
        """The next job for a need, of at most `slices` slices; call `next_template` before."""
        run = self._ready.first(need)
        if run is None or run.tasks is None:
            return None
        asked = binding.fan_of(run).chunk or slices
        picked = run.tasks.pick(asked)
        if run.tasks.left <= 0:
            self._ready.pop(need)
        if not picked:
            return None
        job = self._job(run, need, picked)
        self.in_flight[job.id] = InFlight(job, run, len(picked))
        self._limits.enter(run)
        run.step.running += len(picked)
        return job

    def finish(self, job_id: int, position: int, ending: Ending, now: float) -> None:
        """An attempt of a task has ended."""
        flight = self.in_flight[job_id]
        job, run = flight.job, flight.run
        slice_, attempt = job.slices[position], job.attempts[position]
        run.step.running -= 1
        error = ending.extra.error if ending.extra is not None else None
        if ending.phase is not Phase.SUCCEEDED and error is not None and may_retry(error, run.node.policy, attempt):
            self._journal.attempt(run, slice_, attempt, ending)
            self._delay(run, slice_, attempt, now)
        else:
            self._end_task(run, slice_, attempt, job.keys[position], ending)
        self._leave(flight)
        self._settle()

    def lost(self, job_id: int, positions: Sequence[int]) -> None:
        """Tasks that were handed out and never began: they are ready again."""
        flight = self.in_flight[job_id]
        run = flight.run
        assert run.tasks is not None
        run.step.running -= len(positions)
        for position in positions:
            self._again(run, flight.job.slices[position])
        for _ in positions:
            self._leave(flight)

    def wake(self, now: float) -> None:
        """Makes ready what has waited out its back-off."""
        while self._delayed and self._delayed[0][0] <= now:
            _, _, slice_, run = heapq.heappop(self._delayed)
            assert run.tasks is not None
            run.tasks.delayed -= 1
            self._again(run, slice_)

    def next_wake(self) -> float | None:
        """When `wake` has something to do."""
        return self._delayed[0][0] if self._delayed else None

    def answer(self, path: str, value: bytes) -> None:
        """Ends a suspended node with the value given for it."""
        run = self.gates.pop(path)
        run.step.suspended -= 1
        self._end_task(run, SINGLE, 1, None, Ending(Phase.SUCCEEDED, self._values.fold(value)))
        self._settle()

    def claim(self, run: NodeRun, slice_: int) -> str | None:
        """The task's key, now taken; a task whose key will not do has failed, and None is returned."""
        key = self.key(run, slice_)
        path = run.path if slice_ == SINGLE else f"{run.path}/{slice_}"
        if key is None or (is_key(key) and self._keys.setdefault(key, path) == path):
            return key
        why = f"is taken by {self._keys[key]}" if key in self._keys else f"needs {KEY_RULE}"
        error = TaskError(kind="contract", type="sciflow:InvalidKey", message=f"key {key!r} {why}")
        self._end_task(run, slice_, 1, None, Ending(Phase.FAILED, extra=Extra(error=error)))
        return None

    def known(self, run: NodeRun, slice_: int, key: str | None, ending: Ending) -> None:
        """A probed task's outcome is known from elsewhere."""
        run.step.cached += 1
        self._end_task(run, slice_, 1, key, ending)

    def release(self, run: NodeRun) -> None:
        """All is said about a probed node: its other tasks are to be run."""
        if run.tasks is not None and not run.phase.ended:
            run.tasks.known = run.tasks.known or run.tasks.ended > 0
            if run.tasks.ended < run.tasks.total:
                self._push(run)
        self._settle()

    def need(self, run: NodeRun) -> Need:
        """Where and with what a node's tasks run.

        Raises:
            BindingError: the place has no value, or there is no such executor.
        """
        need = binding.need_of(run, self._values, self._executors[0])
        if need.executor not in self._executors:
            raise BindingError(f"there is no executor {need.executor!r}; known: {', '.join(self._executors)}")
        return need

    def key(self, run: NodeRun, slice_: int) -> str | None:
        """The user's key of a task."""
        assert run.tasks is not None
        return binding.key_of(run, slice_, run.tasks.elements(slice_), self._values) if run.node.key else None

    def begin_exit(self, outcome: Outcome) -> bool:
        """Starts the exit handler with the run's phase, if there is one; `outcome` is given again when it has ended."""
        handler = self._index[self.spec.entry].graph.on_exit
        if handler is None or self._exiting is not None:
            return False
        self._exiting, self.outcome = outcome, None
        self._ready, self._delayed = ReadyQueue(), []  # of a run that was stopped nothing else goes on
        self._unopened.clear()
        self.gates.clear()
        graph = exit_graph(handler)
        self._index[graph.name] = index_graph(graph)
        phase = b'"%s"' % outcome.phase.value.encode()
        self._open({"phase": phase}, template=graph.name, prefix="", parent=None)
        self._settle()
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight, ready, held up or waiting for its back-off."""
        return not (self.in_flight or len(self._ready) or self._delayed or self.probes)

    # --- opening and beginning

    def _open(
        self, inputs: dict[str, bytes], *, template: str, prefix: str, parent: NodeRun | None, slice_: int = SINGLE
    ) -> None:
        index = self._index[template]
        home = Activation(index, prefix, inputs, parent, slice_, open=len(index.graph.nodes))
        for position, node in enumerate(index.graph.nodes):
            path = prefix + node.id
            number = self._journal.number(path, node.template)
            step = self._step(path)
            run = NodeRun(number, path, node, position, home, len(index.needs[position]), step)
            home.nodes.append(run)
        self._beginning.extend(run for run in home.nodes if run.waiting == 0)
        if not home.nodes:
            self._close(home)

    def _step(self, path: str) -> StepCount:
        name = step_path(path)
        return self.steps.get(name) or self.steps.setdefault(name, StepCount(name))

    def _begin(self, run: NodeRun) -> None:
        broken = next((r for r in self._needed(run) if r.phase.bad), None)
        if broken is not None:
            self._omit(run, broken.because or broken.path)
            return
        try:
            if not binding.holds(run, self._values):
                run.step.skipped += 1
                self._conclude(run, Phase.SKIPPED)
                return
            self._bind(run)
        except BindingError as error:
            run.step.failed += 1
            run.error = TaskError(kind="contract", type="sciflow:BindingError", message=str(error))
            self._conclude(run, Phase.FAILED)

    def _needed(self, run: NodeRun) -> Iterator[NodeRun]:
        return (run.home.nodes[i] for i in run.home.index.needs[run.position])

    def _omit(self, run: NodeRun, because: str) -> None:
        run.because = because
        run.step.omitted += 1
        run.error = TaskError(kind="omitted", message=f"omitted because of {because}")
        self._conclude(run, Phase.OMITTED)

    def _bind(self, run: NodeRun) -> None:
        template = self.spec.templates[run.node.template]
        texts = binding.input_texts(run, binding.ports_of(template), self._values)
        run.fixed = binding.join_object(texts)
        run.seed = zlib.crc32(run.path.encode())
        run.tasks = binding.task_set(run, self._values)
        run.step.total += run.tasks.total
        run.phase = Phase.RUNNING
        self._restore(run)
        if run.tasks.ended == run.tasks.total:
            self._conclude_tasks(run)
            return
        match template:
            case Suspend():
                run.phase = Phase.SUSPENDED
                run.step.suspended += 1
                self.gates[run.path] = run
            case Graph():
                self._unopened.append(run)
            case OpTemplate() if run.node.policy.cache or run.node.key is not None:
                self.probes.append(run)
            case OpTemplate():
                self._push(run)
        self._journal.node(run)

    def _restore(self, run: NodeRun) -> None:
        """Takes over what ended in an earlier session."""
        assert run.tasks is not None
        for slice_, phase, _ in self._journal.ended(run.number):
            run.tasks.known = True
            if run.tasks.single and phase == Phase.SUCCEEDED:
                run.output = self._journal.output(run.number, slice_)
            succeeded = phase == Phase.SUCCEEDED
            run.tasks.end(slice_, succeeded=succeeded)
            run.step.done += succeeded
            run.step.failed += not succeeded
        for slice_, tried in self._journal.attempts(run.number):
            run.tasks.attempts[slice_] = tried + 1

    def _push(self, run: NodeRun) -> None:
        self._ready.push(self.need(run), run)

    # --- jobs

    def _job(self, run: NodeRun, need: Need, picked: Sequence[int]) -> Job:
        assert run.tasks is not None
        self._serial += 1
        tasks = run.tasks
        single = tasks.single
        elements = [()] if single else [tasks.elements(i) for i in picked]
        attempts = [tasks.attempts.get(i, 1) for i in picked] if tasks.attempts else (1,) * len(picked)
        keys = [self.key(run, i) for i in picked] if run.node.key else (None,) * len(picked)
        template = self.spec.templates[run.node.template]
        assert isinstance(template, OpTemplate)
        return Job(
            id=self._serial,
            node=run.number,
            path=run.path,
            template=template,
            policy=run.node.policy,
            need=need,
            fixed=run.fixed,
            columns=tasks.columns,
            slices=picked,
            attempts=attempts,
            elements=elements,
            keys=keys,
            seed=run.seed,
        )

    def _leave(self, flight: InFlight) -> None:
        flight.left -= 1
        if flight.left == 0:
            del self.in_flight[flight.job.id]
            for limit in self._limits.leave(flight.run):
                self._ready.release(limit)

    def _delay(self, run: NodeRun, slice_: int, attempt: int, now: float) -> None:
        assert run.tasks is not None
        policy = run.node.policy
        run.tasks.attempts[slice_] = attempt + 1
        run.tasks.delayed += 1
        pause = min(policy.backoff_max_s, policy.backoff_s * policy.backoff_factor ** (attempt - 1))
        self._serial += 1
        heapq.heappush(self._delayed, (now + pause, self._serial, slice_, run))

    def _again(self, run: NodeRun, slice_: int) -> None:
        assert run.tasks is not None
        waits = run.tasks.left > 0  # it is in the queue already
        run.tasks.again.append(slice_)
        if not waits:
            self._push(run)

    # --- endings

    def _end_task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:
        tasks = run.tasks
        assert tasks is not None
        succeeded = ending.phase is Phase.SUCCEEDED
        if not tasks.end(slice_, succeeded=succeeded):
            return
        if succeeded:
            run.step.done += 1
            run.output = ending.output if tasks.single else None
        else:
            run.step.failed += 1
            run.because = run.because or (run.path if tasks.single else f"{run.path}/{slice_}")
        if ending.extra is not None and ending.extra.flag:
            run.step.flagged += 1
        self._journal.task(run, slice_, attempt, key, ending)
        if tasks.ended == tasks.total:
            self._conclude_tasks(run)

    def _conclude_tasks(self, run: NodeRun) -> None:
        assert run.tasks is not None
        enough = run.tasks.succeeded >= _least(run, run.tasks)
        self._conclude(run, Phase.SUCCEEDED if enough else Phase.FAILED)

    def _conclude(self, run: NodeRun, phase: Phase) -> None:
        run.phase = phase
        self._journal.node(run)
        self._ending.append(run)

    def _settle(self) -> None:
        """Lets endings spread until nothing more follows from them."""
        while True:
            if self._ending:
                self._spread(self._ending.popleft())
            elif self._beginning:
                self._begin(self._beginning.popleft())
            elif self._unopened and len(self._ready) < OPEN_AHEAD:
                self._open_slice(self._unopened[0])
            else:
                return

    def _open_slice(self, run: NodeRun) -> None:
        assert run.tasks is not None
        picked = run.tasks.pick(1)
        if run.tasks.left <= 0:
            self._unopened.popleft()
        for slice_ in picked:
            texts = dict(zip(run.tasks.columns, run.tasks.elements(slice_), strict=True)) if slice_ >= 0 else {}
            graph = self._index[run.node.template].graph
            inputs = binding.graph_inputs(graph, binding.split_object(run.fixed) | texts)
            prefix = f"{run.path}/" if run.tasks.single else f"{run.path}/{slice_}/"
            self._open(inputs, template=run.node.template, prefix=prefix, parent=run, slice_=slice_)

    def _spread(self, run: NodeRun) -> None:
        home = run.home
        for position in home.index.feeds[run.position]:
            fed = home.nodes[position]
            fed.waiting -= 1
            if fed.waiting == 0:
                self._beginning.append(fed)
        home.open -= 1
        if home.open == 0:
            self._close(home)

    def _close(self, home: Activation) -> None:
        bad = [run for run in home.nodes if run.phase.bad]
        root = next((run for run in bad if run.phase is not Phase.OMITTED), bad[0] if bad else None)
        outcome = Outcome(Phase.SUCCEEDED)
        if root is not None:
            outcome = Outcome(Phase.FAILED, because=root.because or root.path, error=root.error)
        else:
            try:
                outcome = Outcome(Phase.SUCCEEDED, binding.result_text(home, self._values))
            except BindingError as error:
                failed = TaskError(kind="contract", type="sciflow:BindingError", message=f"no result: {error}")
                outcome = Outcome(Phase.FAILED, error=failed)
        if home.parent is None:
            before = self._exiting
            self.outcome = outcome if before is None or before.phase is Phase.SUCCEEDED is not outcome.phase else before
        else:
            self._end_task(home.parent, home.slice, 1, None, _graph_ending(outcome))


def _graph_ending(outcome: Outcome) -> Ending:
    if outcome.phase is Phase.SUCCEEDED:
        return Ending(Phase.SUCCEEDED, outcome.result)
    error = outcome.error or TaskError(kind="inner", message=f"failed because of {outcome.because}")
    return Ending(outcome.phase, extra=Extra(error=error))


def _least(run: NodeRun, tasks: TaskSet) -> int:
    """How many slices must succeed."""
    match binding.fan_of(run).min_success:
        case None:
            return tasks.total
        case int() as count:
            return min(count, tasks.total)
        case float() as ratio:
            return math.ceil(round(ratio * tasks.total, 9))  # 0.7 of 10 is 7, whatever binary fractions make of it


def exit_graph(handler: str) -> Graph:
    """The graph in which an exit handler runs: one node, given the run's phase."""
    phase = Port(name="phase", type=Type(name="str"))
    node = Node(id=EXIT_NODE, template=handler, inputs={"phase": Input(port="phase")})
    return Graph(name=EXIT_NODE, inputs=(phase,), nodes=(node,), output=ANY)
