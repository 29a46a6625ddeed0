"""A run as far as one of its pods must know it: what a node is given, told by what others have left in the bucket.

`engine.walk` goes forward along the graphs, and is told what ended; this goes backward from one node, and asks for no
more than that node needs. Argo begins a pod when what it depends on has come to its end in order: that is not looked
at once more. What a node has given is a reference, `{"$": "told"}`, until somebody wants to see it.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterable, Mapping
from typing import Protocol

from sciflow.core.expr import Build, Const, Expr, Index, Input, Item, Output, Tree, leaves, parts_of
from sciflow.core.graph import EXIT_NODE, Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.ports import NONE
from sciflow.core.records import Phase
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, TaskSet
from sciflow.engine.binding import BindingError
from sciflow.engine.journal import Values
from sciflow.errors import RunDamaged
from sciflow.executors.argo.manifest.tolerance import tolerant_graphs
from sciflow.executors.argo.place.facts import chunk_at
from sciflow.executors.argo.place.outcomes import TaskEnd
from sciflow.pod.homes import Homes, prefix_inside
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
        dispatchers: Container[str] = (),
        exit_phase: str = "",
    ) -> None:
        """`pods`: of a fan at most, see `facts.chunk_at`; `values` ask `told` what references stand for.

        `exit_phase`: what the run came to, for its exit handler.
        """
        self._spec = spec
        self._source = source
        self._values = values
        self._pods = pods
        self._dispatchers = dispatchers
        self._homes = Homes(spec, inputs, exit_phase=exit_phase)
        self._tolerant = tolerant_graphs(spec.templates)
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
        run = self._homes.runs[number]
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
        if self._homes.is_doubtful(run.home) or self._is_tolerant(run.node):
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
        doubtful = self._homes.is_doubtful(home)
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
        total, dispatchers = self._tasks(run).total, self._dispatchers
        return chunk_at(run.node, total, self._pods, above=run.home.above, dispatchers=dispatchers)

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
        *above, name = path.split("/")
        home = self._homes.exit() if path == EXIT_NODE else self._home(above)
        return home.nodes[home.index.position[name]]

    def _home(self, above: list[str]) -> Activation:
        """The graph around a node, from the parts of the path above it."""
        found = self._homes.find("".join(f"{part}/" for part in above))
        if found is not None:
            return found
        if not above:
            return self._homes.main()
        slice_ = int(above.pop()) if above[-1].isdigit() else SINGLE
        parent = self._placed("/".join(above))
        if self._is_omitted(parent):
            raise BindingError(f"what {parent.path} needs has failed")
        home = self._inside(parent, slice_)
        self._homes.trust(home)  # this pod is in it
        return home

    def _inside(self, parent: NodeRun, slice_: int) -> Activation:
        found = self._homes.find(prefix_inside(parent, slice_))
        if found is not None:
            return found
        self.fix(parent)
        self._tasks(parent)
        home = self._homes.begin_inside(parent, slice_)
        if self._homes.is_doubtful(parent.home) or self._is_tolerant(parent.node):
            self._homes.doubt(home)
        return home


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
