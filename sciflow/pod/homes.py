"""The graphs of a run that are at work, as far as a pod has asked for them, with their nodes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import EXIT_NODE, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.engine import binding
from sciflow.engine.activation import Activation, NodeRun, StepCount
from sciflow.engine.graph_index import index_graph, index_spec
from sciflow.engine.walk import exit_graph

MAIN, EXIT = "", f"{EXIT_NODE}!"  # prefixes: the run's own graph; the one around its exit handler


class Homes:
    """Each graph is known by the prefix of its nodes' paths."""

    def __init__(self, spec: WorkflowSpec, inputs: Mapping[str, Tree], *, exit_phase: str) -> None:
        """`exit_phase`: what the run came to, for its exit handler."""
        self._spec = spec
        self._inputs = inputs
        self._exit_phase = exit_phase
        self._index = index_spec(spec)
        self._at_work: dict[str, Activation] = {}
        self._doubtful: set[str] = set()  # prefixes
        self.runs: list[NodeRun] = []  # all nodes, by their number

    def find(self, prefix: str) -> Activation | None:
        """The graph, if somebody has asked for it."""
        return self._at_work.get(prefix)

    def main(self) -> Activation:
        """The run's own graph."""
        if MAIN not in self._at_work:
            index = self._index[self._spec.entry]
            texts = {name: msgspec.json.encode(tree) for name, tree in self._inputs.items()}
            self._begin(MAIN, Activation(index, "", binding.graph_inputs(index.graph, texts), None))
        return self._at_work[MAIN]

    def exit(self) -> Activation:
        """The graph around the exit handler."""
        if EXIT not in self._at_work:
            handler = self._index[self._spec.entry].graph.on_exit or ""
            inputs = {"phase": msgspec.json.encode(self._exit_phase)}
            self._begin(EXIT, Activation(index_graph(exit_graph(handler)), "", inputs, None))
        return self._at_work[EXIT]

    def begin_inside(self, parent: NodeRun, slice_: int) -> Activation:
        """The graph that a node runs for one slice; what the node is given, and its tasks, are known."""
        index = self._index[parent.node.template]
        inputs = binding.graph_inputs(index.graph, binding.slice_texts(parent, slice_))
        prefix = prefix_inside(parent, slice_)
        self._begin(prefix, Activation(index, prefix, inputs, parent, slice_))
        return self._at_work[prefix]

    # --- whether something in a graph may have failed

    def doubt(self, home: Activation) -> None:
        """It may: what has become of its nodes is to be looked at."""
        self._doubtful.add(home.prefix)

    def trust(self, home: Activation) -> None:
        """It has not, as far as anybody here depends on it."""
        self._doubtful.discard(home.prefix)

    def is_doubtful(self, home: Activation) -> bool:
        """Whether it may."""
        return home.prefix in self._doubtful

    def _begin(self, prefix: str, home: Activation) -> None:
        for position, node in enumerate(home.index.graph.nodes):
            path = home.prefix + node.id
            home.nodes.append(NodeRun(len(self.runs), path, node, position, home, 0, StepCount(path)))
            self.runs.append(home.nodes[-1])
        self._at_work[prefix] = home


def prefix_inside(parent: NodeRun, slice_: int) -> str:
    """That of the graph that a node runs for one slice."""
    return f"{parent.path}/" if slice_ == SINGLE else f"{parent.path}/{slice_}/"
