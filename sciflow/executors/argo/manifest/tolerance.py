"""Which workflows may succeed although Argo takes them for failed: some slices of a fan in them may fail. Pure.

Argo takes a graph for failed if what comes last in it has failed, or was skipped after something that has. A graph that
has failed tells no numbers either, so that those who ask what became of it have to look into the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping

from sciflow.core.graph import Graph, Template


def tolerant_graphs(templates: Mapping[str, Template]) -> frozenset[str]:
    """The names of graphs with a fan of which some slices may fail, also in graphs that they run."""
    graphs = {name: graph for name, graph in templates.items() if isinstance(graph, Graph)}
    found: frozenset[str] = frozenset()
    while True:
        more = frozenset(name for name, graph in graphs.items() if _is_tolerant(graph, found))
        if more == found:
            return found
        found = more


def _is_tolerant(graph: Graph, known: frozenset[str]) -> bool:
    return any(
        node.template in known or (node.fan is not None and node.fan.min_success is not None) for node in graph.nodes
    )
