"""What the scheduler asks of a graph again and again, computed once per template."""

from __future__ import annotations

import msgspec

from sciflow.core.expr import Const
from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.core.needs import needed_nodes


class GraphIndex(msgspec.Struct, frozen=True):
    """A graph with its edges drawn: node i waits for the nodes `needs[i]`, and the nodes `feeds[i]` wait for it."""

    graph: Graph
    position: dict[str, int]
    needs: tuple[tuple[int, ...], ...]
    feeds: tuple[tuple[int, ...], ...]


def index_graph(graph: Graph) -> GraphIndex:
    """The graph's edges as positions."""
    position = {node.id: i for i, node in enumerate(graph.nodes)}
    needs = tuple(tuple(sorted(position[n] for n in needed_nodes(node))) for node in graph.nodes)
    feeds: list[list[int]] = [[] for _ in graph.nodes]
    for i, sources in enumerate(needs):
        for source in sources:
            feeds[source].append(i)
    return GraphIndex(graph, position, needs, tuple(map(tuple, feeds)))


def index_spec(spec: WorkflowSpec) -> dict[str, GraphIndex]:
    """The index of every graph of a workflow, by template name."""
    return {name: index_graph(t) for name, t in spec.templates.items() if isinstance(t, Graph)}


def const_text(expr: Const) -> bytes:
    """A constant's tree as JSON text."""
    return msgspec.json.encode(expr.value)
