"""A run as far as one of its pods must know it: what a node is given, told by what others have left in the bucket.

`engine.walk` goes forward along the graphs, and is told what ended; this goes backward from one node, and asks for no
more than that node needs. Argo begins a pod when what it depends on has come to its end in order: that is not looked
at once more. What a node has given is a reference, `{"$": "told"}`, until somebody wants to see it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from sciflow.core.expr import Build, Const, Expr, Index, Input, Item, Output, Tree, leaves, parts_of
from sciflow.core.graph import EXIT_NODE, Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.ports import NONE
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount, TaskSet
from sciflow.engine.binding import BindingError
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.journal import Values
from sciflow.engine.walk import exit_graph
from sciflow.errors import RunDamaged
from sciflow.executors.argo.manifest.tolerance import tolerant_graphs
from sciflow.executors.argo.place.facts import chunk_of
from sciflow.executors.argo.place.outcomes import TaskEnd
from sciflow.pod.node_output import FanOutputs, NodeOutput, is_told, node_of, told_text, whole


class Source(Protocol):
    """What others have left."""

    def ends(self, path: str, chunks: Iterable[int]) -> Mapping[int, TaskEnd]:
        """The last attempt of each task in some chunks of a node, by slice."""

    def outputs(self, path: str, chunks: Iterable[int]) -> Mapping[int, bytes]:
        """What the tasks in some chunks of a node have given that have succeeded, by slice."""

    def successes(self, path: str, chunks: Iterable[int]) -> int:
        """How many of those tasks have succeeded."""

    def answer(self, path: str) -> bytes | None:
        """What was given at a suspension; None if nothing was."""


class Recollection:
    """One run; a node's place in it is its path."""

    def __init__(
        self,
        spec: WorkflowSpec,
        inputs: Mapping[str, Tree],
        source: Source,
        values: Values,
        *,
        pods: int,
        exit_phase: str = "",
    ) -> None:
        """`pods`: of a fan at most, see `facts.chunk_of`; `values` ask `told` what references stand for.

        `exit_phase`: what the run came to, for its exit handler.
        """
        self._spec = spec
        self._inputs = inputs
        self._source = source
        self._values = values
        self._pods = pods
        self._exit_phase = exit_phase
        self._index = index_spec(spec)
        self._homes: dict[str, Activation] = {}
        self._doubtful: set[str] = set()  # prefixes of graphs at work of which some may have failed
        self._tolerant = tolerant_graphs(spec.templates)
        self._runs: list[NodeRun] = []  # by their number
        self._told: dict[int, NodeOutput] = {}
        self._reasons: dict[str, str] = {}  # why nodes and graphs have failed, by their paths

    def node(self, path: str) -> NodeRun:
        """The node of a path: skipped, omitted, or with its tasks; `fix` finds what else it is given.

        Raises:
            BindingError: an expression of it has no value.
        """
        run = self._placed(path)
        if self._is_omitted(run):
            run.phase = Phase.OMITTED
        elif not self._holds(run):
            run.phase = Phase.SKIPPED
        else:
            self._tasks(run)
            run.phase = Phase.RUNNING
        return run

    def fix(self, run: NodeRun) -> None:
        """Finds what all tasks of a node are given.

        Raises:
            BindingError: an expression of it has no value.
        """
        if run.fixed == b"{}":
            self._know(run.home, *run.node.inputs.values())
            template = self._spec.templates[run.node.template]
            run.fixed = binding.join_object(binding.input_texts(run, binding.ports_of(template), self._values))
            run.seed = zlib.crc32(run.path.encode())

    def has_enough(self, run: NodeRun) -> bool:
        """Whether so many slices of a fan have succeeded that it is put up with if others fail."""
        return _may_lack(run.node) and self._successes(run) >= binding.least_successes(run)

    def told(self, number: int) -> NodeOutput:
        """What a node has given: the text of its output, or those of its slices' outputs.

        Raises:
            BindingError: an expression on which it rests has no value.
        """
        run = self._runs[number]
        given = self._look(run)
        if given is None:
            raise RunDamaged(f"{run.path}: what it has given is not in the bucket")
        return given

    # --- what has become of nodes

    def _settle(self, run: NodeRun) -> None:
        """Finds out what has become of a node that others need."""
        if run.phase is Phase.PENDING:
            try:
                run.phase = self._phase(run)
            except BindingError as error:
                run.phase = Phase.FAILED
                self._reasons[run.path] = str(error)
            run.output = told_text(run.number)

    def _phase(self, run: NodeRun) -> Phase:
        if self._is_surely_well(run):
            return Phase.SUCCEEDED if self._holds(run) else Phase.SKIPPED
        if self._is_omitted(run):
            return Phase.OMITTED
        if not self._holds(run):
            return Phase.SKIPPED
        self.fix(run)
        self._tasks(run)
        return Phase.SUCCEEDED if self._successes(run) >= binding.least_successes(run) else Phase.FAILED

    def _is_surely_well(self, run: NodeRun) -> bool:
        """Whether Argo would not have begun this pod unless the node had succeeded, or was skipped."""
        if run.home.prefix in self._doubtful or self._is_tolerant(run.node):
            return False
        expressions = run.node.inputs.values()
        match self._spec.templates[run.node.template]:
            case OpTemplate():  # its pods have found its inputs, if there were any
                return run.node.fan is None or not any(map(_may_fail, expressions)) or self._tasks(run).total > 0
            case Graph(result=result):
                return not any(map(_may_fail, (*expressions, result)))
            case Suspend():
                return not any(map(_may_fail, expressions))

    def _is_tolerant(self, node: Node) -> bool:
        """Whether some of what it runs may fail: what comes after it begins however it ends."""
        return _may_lack(node) or node.template in self._tolerant

    def _is_omitted(self, run: NodeRun) -> bool:
        """Whether something that a node needs has failed."""
        for position in run.home.index.needs[run.position]:
            self._settle(run.home.nodes[position])
            if run.home.nodes[position].phase.bad:
                return True
        return False

    def _successes(self, run: NodeRun) -> int:
        """How many tasks of a node have succeeded."""
        match self._spec.templates[run.node.template]:
            case OpTemplate():
                return self._source.successes(run.path, self._chunks(run))
            case Graph() | Suspend():
                given = self._look(run)
                if run.node.fan is not None and isinstance(given, FanOutputs):
                    return given.successes
                return int(given is not None)

    # --- what nodes have given

    def _look(self, run: NodeRun) -> NodeOutput | None:
        """What a node has given; None if it has failed."""
        if run.number not in self._told:
            given = self._given(run)
            if given is None:
                return None
            self._told[run.number] = given
        return self._told[run.number]

    def _given(self, run: NodeRun) -> NodeOutput | None:
        template = self._spec.templates[run.node.template]
        if run.node.fan is not None:
            return self._given_by_slices(run, template)
        match template:
            case Suspend(output=output):
                return b"null" if output == NONE else self._source.answer(run.path)
            case OpTemplate():
                return self._source.outputs(run.path, [0]).get(SINGLE)
            case Graph():
                return self._result(run, SINGLE)

    def _given_by_slices(self, run: NodeRun, template: object) -> FanOutputs:
        each = self._chunk(run)

        def read(chunks: Iterable[int]) -> Mapping[int, bytes]:
            if isinstance(template, OpTemplate):
                return self._source.outputs(run.path, chunks)
            results = ((slice_, self._result(run, slice_)) for slice_ in chunks)
            return {slice_: whole(given) for slice_, given in results if given is not None}

        return FanOutputs(run.path, self._tasks(run).total, each, read, may_lack=_may_lack(run.node))

    def _result(self, run: NodeRun, slice_: int) -> NodeOutput | None:
        """What one slice of a sub-workflow has given; None if it failed."""
        home = self._inside(run, slice_)
        doubtful = home.prefix in self._doubtful
        if doubtful:
            for inner in home.nodes:
                self._settle(inner)
                if inner.phase.bad:
                    return None
        try:
            self._know(home, home.index.graph.result)
            text = binding.result_text(home, self._values)
            return self.told(node_of(text)) if is_told(text) else text
        except BindingError as error:
            if not doubtful:
                raise
            self._reasons[home.prefix.rstrip("/")] = f"its result has no value: {error}"
            return None

    # --- what nodes are given

    def _holds(self, run: NodeRun) -> bool:
        if run.node.when is not None:
            self._know(run.home, run.node.when)
        return binding.holds(run, self._values)

    def _tasks(self, run: NodeRun) -> TaskSet:
        if run.tasks is None:
            self._know(run.home, *(run.node.fan.over.values() if run.node.fan is not None else ()))
            run.tasks = binding.task_set(run, self._values)
        return run.tasks

    def _chunk(self, run: NodeRun) -> int:
        if not isinstance(self._spec.templates[run.node.template], OpTemplate):
            return 1
        return chunk_of(run.node.fan, self._tasks(run).total, self._pods, above=run.home.above)

    def _chunks(self, run: NodeRun) -> range:
        return range(-(-self._tasks(run).total // self._chunk(run)))

    def _know(self, home: Activation, *expressions: Expr) -> None:
        """Settles the nodes of which expressions speak."""
        for leaf in (leaf for expr in expressions for leaf in leaves(expr)):
            if isinstance(leaf, Output):
                self._settle(home.nodes[home.index.position[leaf.node]])

    # --- graphs at work

    def _placed(self, path: str) -> NodeRun:
        """The node of a path; the graphs above it are at work."""
        parts = path.split("/")
        prefix = "".join(f"{part}/" for part in parts[:-1])
        if parts == [EXIT_NODE]:
            prefix = f"{EXIT_NODE}!"
        if prefix not in self._homes:
            self._open(prefix, parts[:-1])
        home = self._homes[prefix]
        return home.nodes[home.index.position[parts[-1]]]

    def _open(self, prefix: str, above: list[str]) -> None:
        if prefix == f"{EXIT_NODE}!":
            handler = self._index[self._spec.entry].graph.on_exit or ""
            inputs = {"phase": msgspec.json.encode(self._exit_phase)}
            self._activate(prefix, Activation(index_graph(exit_graph(handler)), "", inputs, None))
        elif not above:
            texts = {name: msgspec.json.encode(tree) for name, tree in self._inputs.items()}
            index = self._index[self._spec.entry]
            self._activate(prefix, Activation(index, "", binding.graph_inputs(index.graph, texts), None))
        else:
            slice_ = int(above.pop()) if above[-1].isdigit() else SINGLE
            parent = self._placed("/".join(above))
            if self._is_omitted(parent):
                raise BindingError(f"what {parent.path} needs has failed")
            self._inside(parent, slice_)
            self._doubtful.discard(prefix)  # this pod is in it

    def _inside(self, parent: NodeRun, slice_: int) -> Activation:
        prefix = f"{parent.path}/" if slice_ == SINGLE else f"{parent.path}/{slice_}/"
        if prefix not in self._homes:
            self.fix(parent)
            tasks = self._tasks(parent)
            index = self._index[parent.node.template]
            elements = tasks.elements(slice_) if slice_ >= 0 else ()
            texts = dict(zip(tasks.columns, elements, strict=True)) if slice_ >= 0 else {}
            inputs = binding.graph_inputs(index.graph, binding.split_object(parent.fixed) | texts)
            if parent.home.prefix in self._doubtful or self._is_tolerant(parent.node):
                self._doubtful.add(prefix)
            self._activate(prefix, Activation(index, prefix, inputs, parent, slice_))
        return self._homes[prefix]

    def _activate(self, prefix: str, home: Activation) -> None:
        for position, node in enumerate(home.index.graph.nodes):
            path = home.prefix + node.id
            home.nodes.append(NodeRun(len(self._runs), path, node, position, home, 0, StepCount(path)))
            self._runs.append(home.nodes[-1])
        self._homes[prefix] = home


def _may_fail(expr: Expr) -> bool:
    """Whether an expression may have no value though all that it speaks of has."""
    match expr:
        case Const() | Input() | Output() | Item() | Index():
            return False
        case Build():
            return any(map(_may_fail, parts_of(expr)))
        case _:
            return True


def _may_lack(node: Node) -> bool:
    """Whether some of its slices may fail."""
    return node.fan is not None and node.fan.min_success is not None


def total_of(run: NodeRun) -> int:
    """How many tasks a node has; none if it is skipped or omitted."""
    return run.tasks.total if run.phase is Phase.RUNNING and run.tasks is not None else 0
