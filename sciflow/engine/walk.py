"""Walks a run along its graphs: which nodes may begin, what they are given, and what follows when they end.

Pure, as the scheduler is, which decides about tasks. Endings spread by work lists, so that neither a long chain nor
deep recursion costs stack.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from sciflow.core.expr import Input
from sciflow.core.graph import EXIT_NODE, Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.ports import ANY, Port, Type
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount, TaskSet, step_path
from sciflow.engine.binding import BindingError
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.journal import Ending, Journal, Values
from sciflow.engine.outcome import Outcome


class GraphWalk:
    """The graphs of one run at work. `ready` is told of every node whose tasks are to be run."""

    def __init__(
        self, spec: WorkflowSpec, *, journal: Journal, values: Values, ready: Callable[[NodeRun], None]
    ) -> None:
        self.steps: dict[str, StepCount] = {}
        self.outcome: Outcome | None = None
        self.gates: dict[str, NodeRun] = {}  # suspended nodes by path
        self.spec = spec
        self._journal = journal
        self._values = values
        self._ready = ready
        self._index = index_spec(spec)
        self._beginning: deque[NodeRun] = deque()
        self._ending: deque[NodeRun] = deque()
        self._unopened: deque[NodeRun] = deque()  # fans over sub-workflows with slices that were not opened yet
        self._nodes: Sequence[NodeRun] = ()  # of the run's own graph
        self._exiting: Outcome | None = None  # what the run came to before its exit handler

    def start(self, inputs: Mapping[str, bytes]) -> None:
        """Opens the workflow."""
        index = self._index[self.spec.entry]
        texts = binding.graph_inputs(index.graph, dict(inputs))
        self._nodes = self._open(texts, template=self.spec.entry, prefix="", parent=None).nodes

    def begin_exit(self, outcome: Outcome) -> bool:
        """Starts the exit handler with the run's phase, if there is one; `outcome` is given again when it has ended."""
        handler = self._index[self.spec.entry].graph.on_exit
        if handler is None or self._exiting is not None:
            return False
        self._exiting, self.outcome = outcome, None
        self._unopened.clear()  # of a run that was stopped nothing else goes on
        self.gates.clear()
        graph = exit_graph(handler)
        self._index[graph.name] = index_graph(graph)
        phase = b'"%s"' % outcome.phase.value.encode()
        self._open({"phase": phase}, template=graph.name, prefix="", parent=None)
        return True

    def totals(self) -> dict[str, int]:
        """How many tasks the nodes of the run's own graph have, by id, as far as that is known; 0 of skipped ones."""
        known = ((run.node.id, run) for run in self._nodes)
        return {
            id_: 0 if run.tasks is None else run.tasks.total
            for id_, run in known
            if run.tasks is not None or run.phase is Phase.SKIPPED
        }

    def answer(self, path: str, value: bytes) -> None:
        """Ends a suspended node with the value given for it."""
        run = self.gates.pop(path)
        run.step.suspended -= 1
        self.end_task(run, SINGLE, 1, None, Ending(Phase.SUCCEEDED, self._values.fold(value)))

    def settle(self, wants_more: Callable[[], bool]) -> None:
        """Lets endings spread until nothing follows from them; opens slices of sub-workflows while more is wanted."""
        while True:
            if self._ending:
                self._spread(self._ending.popleft())
            elif self._beginning:
                self._begin(self._beginning.popleft())
            elif self._unopened and wants_more():
                self._open_slice(self._unopened[0])
            else:
                return

    def fail(self, run: NodeRun, error: BindingError) -> None:
        """Ends a node for which an expression has no value."""
        run.step.failed += 1
        run.error = TaskError(
            kind="contract",
            type="sciflow:BindingError",
            message=str(error),
            traceback=f"{run.node.where} {run.node.id}",
        )
        self._conclude(run, Phase.FAILED)

    # --- opening and beginning

    def _open(
        self, inputs: dict[str, bytes], *, template: str, prefix: str, parent: NodeRun | None, slice_: int = SINGLE
    ) -> Activation:
        index = self._index[template]
        home = Activation(index, prefix, inputs, parent, slice_, open=len(index.graph.nodes))
        for position, node in enumerate(index.graph.nodes):
            path = prefix + node.id
            number = self._journal.number(path, node.template)
            home.nodes.append(NodeRun(number, path, node, position, home, len(index.needs[position]), self._step(path)))
        self._beginning.extend(run for run in home.nodes if run.waiting == 0)
        if not home.nodes:
            self._close(home)
        return home

    def _step(self, path: str) -> StepCount:
        name = step_path(path)
        return self.steps.get(name) or self.steps.setdefault(name, StepCount(name))

    def _begin(self, run: NodeRun) -> None:
        broken = next((r for r in self._needed(run) if r.phase.bad), None)
        if broken is not None:
            self._omit(run, broken.because or broken.path)
            return
        try:
            if binding.holds(run, self._values):
                self._bind(run)
            else:
                run.step.skipped += 1
                self._conclude(run, Phase.SKIPPED)
        except BindingError as error:
            self.fail(run, error)

    def _needed(self, run: NodeRun) -> Iterator[NodeRun]:
        return (run.home.nodes[i] for i in run.home.index.needs[run.position])

    def _omit(self, run: NodeRun, because: str) -> None:
        run.because = because
        run.step.omitted += 1
        run.error = TaskError(kind="omitted", message=f"omitted because of {because}")
        self._conclude(run, Phase.OMITTED)

    def _bind(self, run: NodeRun) -> None:
        """Gives a node its inputs and lists, takes over what ended in an earlier session, and lets the rest be run."""
        template = self.spec.templates[run.node.template]
        run.fixed = binding.join_object(binding.input_texts(run, binding.ports_of(template), self._values))
        run.seed = zlib.crc32(run.path.encode())
        run.tasks = binding.task_set(run, self._values)
        run.step.total += run.tasks.total
        run.step.counted = True
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
            case OpTemplate():
                self._ready(run)
        self._journal.node(run)

    def _restore(self, run: NodeRun) -> None:
        assert run.tasks is not None
        for slice_, phase, cached, flagged in self._journal.ended(run.number):
            run.tasks.known = True
            succeeded = phase is Phase.SUCCEEDED
            if run.tasks.single and succeeded:
                run.output = self._journal.output(run.number, slice_)
            run.tasks.end(slice_, succeeded=succeeded)
            run.step.done += succeeded
            run.step.failed += not succeeded
            if not succeeded:
                run.because = run.because or (run.path if run.tasks.single else f"{run.path}/{slice_}")
            run.step.cached += cached
            run.step.earlier += not cached
            run.step.flagged += flagged
        for slice_, tried, spent in self._journal.attempts(run.number):
            run.tasks.attempts[slice_] = tried + 1
            run.tasks.spent[slice_] = spent

    def _open_slice(self, run: NodeRun) -> None:
        assert run.tasks is not None
        picked = run.tasks.pick(1)
        run.tasks.jobs += len(picked)
        if run.tasks.left <= 0 or _full(run, run.tasks):
            self._unopened.popleft()
        for slice_ in picked:
            inputs = binding.graph_inputs(self._index[run.node.template].graph, binding.slice_texts(run, slice_))
            prefix = f"{run.path}/" if run.tasks.single else f"{run.path}/{slice_}/"
            self._open(inputs, template=run.node.template, prefix=prefix, parent=run, slice_=slice_)

    def _leave_slice(self, run: NodeRun) -> None:
        """A slice over a sub-workflow is about to end; where a limit held the next one back, it may be opened."""
        assert run.tasks is not None
        held_back = _full(run, run.tasks) and run.tasks.left > 0
        run.tasks.jobs -= 1
        if held_back:
            self._unopened.append(run)

    # --- endings

    def end_task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> bool:
        """A task has ended for good; whether its node has ended with it, so that something follows."""
        tasks = run.tasks
        assert tasks is not None
        succeeded = ending.phase is Phase.SUCCEEDED
        if not tasks.end(slice_, succeeded=succeeded):
            return False
        if succeeded:
            run.step.done += 1
            run.step.flagged += ending.extra is not None and bool(ending.extra.flag)
            run.output = ending.output if tasks.single else None
        else:
            run.step.failed += 1
            run.because = run.because or (run.path if tasks.single else f"{run.path}/{slice_}")
        self._journal.task(run, slice_, attempt, key, ending)
        if tasks.ended < tasks.total:
            return False
        self._conclude_tasks(run)
        return True

    def _conclude_tasks(self, run: NodeRun) -> None:
        assert run.tasks is not None
        enough = run.tasks.succeeded >= binding.least_successes(run)
        self._conclude(run, Phase.SUCCEEDED if enough else Phase.FAILED)

    def _conclude(self, run: NodeRun, phase: Phase) -> None:
        run.phase = phase
        self._journal.node(run)
        self._ending.append(run)

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
        outcome = self._outcome(home)
        if home.parent is not None:
            self._leave_slice(home.parent)
            self.end_task(home.parent, home.slice, 1, None, _graph_ending(outcome))
            return
        before = self._exiting
        handler_failed = before is not None and before.phase is Phase.SUCCEEDED and outcome.phase is not before.phase
        self.outcome = outcome if before is None or handler_failed else before

    def _outcome(self, home: Activation) -> Outcome:
        """What a graph came to: failed if any of its nodes did, told by the first that is not itself a consequence."""
        bad = [run for run in home.nodes if run.phase.bad]
        root = next((run for run in bad if run.phase is not Phase.OMITTED), bad[0] if bad else None)
        if root is not None:
            return Outcome(Phase.FAILED, because=root.because or root.path, error=root.error)
        try:
            return Outcome(Phase.SUCCEEDED, binding.result_text(home, self._values))
        except BindingError as error:
            failed = TaskError(kind="contract", type="sciflow:BindingError", message=f"no result: {error}")
            return Outcome(Phase.FAILED, error=failed)


def _full(run: NodeRun, tasks: TaskSet) -> bool:
    """Whether as many slices over a sub-workflow are open as its fan lets."""
    most = binding.fan_of(run).parallelism
    return most is not None and tasks.jobs >= most


def _graph_ending(outcome: Outcome) -> Ending:
    if outcome.phase is Phase.SUCCEEDED:
        return Ending(Phase.SUCCEEDED, outcome.result)
    error = outcome.error or TaskError(kind="inner", message=f"failed because of {outcome.because}")
    return Ending(outcome.phase, extra=Extra(error=error))


def exit_graph(handler: str) -> Graph:
    """The graph in which an exit handler runs: one node, given the run's phase."""
    phase = Port(name="phase", type=Type(name="str"))
    node = Node(id=EXIT_NODE, template=handler, inputs={"phase": Input(port="phase")})
    return Graph(name=EXIT_NODE, inputs=(phase,), nodes=(node,), output=ANY)
