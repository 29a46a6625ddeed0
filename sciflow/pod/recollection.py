"""A run as far as one of its pods must know it: what a node is given, told by what others have left in the bucket.

`engine.walk` goes forward along the graphs, and is told what ended; this goes backward from one node, and asks.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Protocol

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import EXIT_NODE, Graph, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.ports import NONE
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount
from sciflow.engine.binding import BindingError
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.journal import Values
from sciflow.engine.walk import exit_graph
from sciflow.executors.argo.outcomes import TaskEnd
from sciflow.executors.argo.tolerance import tolerant_graphs


class Source(Protocol):
    """What others have left."""

    def ends(self, path: str, total: int) -> Mapping[int, TaskEnd]:
        """The last attempt of each task of a node that has `total`."""

    def answer(self, path: str) -> bytes | None:
        """What was given at a suspension; None if nothing was."""


class Recollection:
    """One run; a node's place in it is its path."""

    def __init__(
        self, spec: WorkflowSpec, inputs: Mapping[str, Tree], source: Source, values: Values, *, exit_phase: str = ""
    ) -> None:
        """`exit_phase`: the phase that Argo gives the run before its exit handler."""
        self._spec = spec
        self._inputs = inputs
        self._source = source
        self._values = values
        self._exit_phase = exit_phase
        self._index = index_spec(spec)
        self._homes: dict[str, Activation] = {}
        self._numbers = 0  # of nodes that were given one
        self.outputs: dict[int, list[tuple[int, bytes | None]]] = {}  # of a node's tasks that succeeded, by its number
        self._reasons: dict[str, str] = {}  # why tasks and nodes failed, by their paths

    def node(self, path: str) -> NodeRun:
        """The node of a path: skipped, omitted, or with its inputs and tasks.

        Raises:
            BindingError: an expression of it has no value.
        """
        home = self._home(path)
        run = home.nodes[home.index.position[path.removeprefix(home.prefix)]]
        for position in home.index.needs[run.position]:
            self._settle(home.nodes[position])
            if home.nodes[position].phase.bad:
                run.phase = Phase.OMITTED
                return run
        if not binding.holds(run, self._values):
            run.phase = Phase.SKIPPED
            return run
        self._begin(run)
        return run

    def conclude(self) -> tuple[bytes | None, list[str]]:
        """The run's result; if it failed None, and why."""
        home = self._home("")
        for run in home.nodes:
            self._settle(run)
        failed = [run.path for run in home.nodes if run.phase is Phase.FAILED]
        if failed:
            whys = [f"{path}: {why}" for path, why in self._reasons.items() if _is_of(path, failed)]
            return None, whys or failed
        try:
            return binding.result_text(home, self._values), []
        except BindingError as error:
            return None, [f"its result has no value: {error}"]

    def _begin(self, run: NodeRun) -> None:
        if run.tasks is None or run.phase is not Phase.RUNNING:
            template = self._spec.templates[run.node.template]
            run.fixed = binding.join_object(binding.input_texts(run, binding.ports_of(template), self._values))
            run.seed = zlib.crc32(run.path.encode())
            run.tasks = binding.task_set(run, self._values)
            run.phase = Phase.RUNNING

    def _settle(self, run: NodeRun) -> None:
        """Finds out what has become of a node that others need."""
        if run.phase is not Phase.PENDING:
            return
        try:
            found = self.node(run.path)
        except BindingError as error:
            run.phase = Phase.FAILED
            self._reasons[run.path] = str(error)
            return
        if found.phase is Phase.RUNNING:
            self._conclude(run)

    def _conclude(self, run: NodeRun) -> None:
        tasks = run.tasks
        assert tasks is not None
        outputs: list[tuple[int, bytes | None]] = []
        match self._spec.templates[run.node.template]:
            case Suspend(output=output):
                answer = b"null" if output == NONE else self._source.answer(run.path)
                outputs = [] if answer is None else [(SINGLE, answer)]
            case OpTemplate():
                ends = self._source.ends(run.path, tasks.total)
                outputs = [(i, bytes(end.told.output)) for i, end in sorted(ends.items()) if _succeeded(end)]
                self._explain(run, tasks.total, ends)
            case Graph():
                slices = [SINGLE] if tasks.single else range(tasks.total)
                results = ((i, self._result(run, i)) for i in slices)
                outputs = [(i, text) for i, text in results if text is not None]
        tasks.succeeded = len(outputs)
        run.phase = Phase.SUCCEEDED if tasks.succeeded >= binding.least_successes(run) else Phase.FAILED
        if tasks.single and outputs:
            run.output = outputs[0][1]
        self.outputs[run.number] = outputs

    def _result(self, run: NodeRun, slice_: int) -> bytes | None:
        """What one slice of a sub-workflow has given; None if it failed."""
        prefix = f"{run.path}/" if slice_ == SINGLE else f"{run.path}/{slice_}/"
        home = self._inside(run, slice_, prefix)
        for inner in home.nodes:
            self._settle(inner)
            if inner.phase.bad:
                return None
        try:
            return binding.result_text(home, self._values)
        except BindingError as error:
            self._reasons[prefix.rstrip("/")] = f"its result has no value: {error}"
            return None

    def _explain(self, run: NodeRun, total: int, ends: Mapping[int, TaskEnd]) -> None:
        """Notes down why tasks of an op have failed."""
        for slice_, end in sorted(ends.items()):
            told = end.told
            if told.phase != Phase.SUCCEEDED.value and told.extra is not None and told.extra.error is not None:
                error = told.extra.error
                path = run.path if slice_ == SINGLE else f"{run.path}/{slice_}"
                self._reasons[path] = f"{error.type.rpartition(':')[2]}: {error.message}"
        if len(ends) < total:
            self._reasons.setdefault(run.path, "its pod was lost, or came to no end")

    def _run_phase(self) -> str:
        """What the run came to: Argo knows neither of failures that are put up with nor of results without a value."""
        if self._exit_phase != Phase.SUCCEEDED.value and self._spec.entry not in tolerant_graphs(self._spec.templates):
            return Phase.FAILED.value
        return (Phase.FAILED if self.conclude()[0] is None else Phase.SUCCEEDED).value

    # --- graphs at work

    def _home(self, path: str) -> Activation:
        """The graph at work in which a node stands."""
        parts = path.split("/")
        prefix = "".join(f"{part}/" for part in parts[:-1])
        if parts == [EXIT_NODE]:
            prefix = f"{EXIT_NODE}!"
        if prefix not in self._homes:
            self._homes[prefix] = self._open(prefix, parts[:-1])
        return self._homes[prefix]

    def _open(self, prefix: str, above: list[str]) -> Activation:
        if prefix == f"{EXIT_NODE}!":
            handler = self._index[self._spec.entry].graph.on_exit or ""
            inputs = {"phase": msgspec.json.encode(self._run_phase())}
            return self._activation(Activation(index_graph(exit_graph(handler)), "", inputs, None))
        if not above:
            texts = {name: msgspec.json.encode(tree) for name, tree in self._inputs.items()}
            index = self._index[self._spec.entry]
            return self._activation(Activation(index, "", binding.graph_inputs(index.graph, texts), None))
        slice_ = int(above.pop()) if above[-1].isdigit() else SINGLE
        parent = self.node("/".join(above))
        if parent.phase is not Phase.RUNNING:
            raise BindingError(f"what {parent.path} needs has failed")
        return self._inside(parent, slice_, prefix)

    def _inside(self, parent: NodeRun, slice_: int, prefix: str) -> Activation:
        if prefix not in self._homes:
            self._begin(parent)
            assert parent.tasks is not None
            index = self._index[parent.node.template]
            elements = parent.tasks.elements(slice_) if slice_ >= 0 else ()
            texts = dict(zip(parent.tasks.columns, elements, strict=True)) if slice_ >= 0 else {}
            inputs = binding.graph_inputs(index.graph, binding.split_object(parent.fixed) | texts)
            self._homes[prefix] = self._activation(Activation(index, prefix, inputs, parent, slice_))
        return self._homes[prefix]

    def _activation(self, home: Activation) -> Activation:
        for position, node in enumerate(home.index.graph.nodes):
            path = home.prefix + node.id
            self._numbers += 1
            home.nodes.append(NodeRun(self._numbers, path, node, position, home, 0, StepCount(path)))
        return home


def _is_of(path: str, nodes: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{node}/") for node in nodes)


def _succeeded(end: TaskEnd) -> bool:
    return end.told.phase == Phase.SUCCEEDED.value


def total_of(run: NodeRun) -> int:
    """How many tasks a node has; none if it is skipped or omitted."""
    return run.tasks.total if run.phase is Phase.RUNNING and run.tasks is not None else 0
