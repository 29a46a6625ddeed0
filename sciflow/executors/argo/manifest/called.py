"""Which templates a workflow runs, and which of them side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.core.graph import Graph, WorkflowSpec


def reachable(spec: WorkflowSpec, start: str | None) -> list[str]:
    """The templates that are used, from one on."""
    found: list[str] = [] if start is None else [start]
    for name in found:
        template = spec.templates[name]
        if isinstance(template, Graph):
            found += [n for n in dict.fromkeys(node.template for node in template.nodes) if n not in found]
    return found


def sharing_graphs(spec: WorkflowSpec) -> frozenset[str]:
    """The graphs of which several may be at work side by side, and that have, or run, fans whose chunks are ours."""
    graphs = [graph for graph in spec.templates.values() if isinstance(graph, Graph)]
    fanned = {node.template for graph in graphs for node in graph.nodes if node.fan is not None}
    side_by_side = {name for start in fanned for name in reachable(spec, start)}
    return frozenset(name for name in side_by_side if any(map(_has_fans, _graphs(spec, name))))


def _graphs(spec: WorkflowSpec, start: str) -> Iterator[Graph]:
    """A graph, and those that it runs."""
    templates = (spec.templates[name] for name in reachable(spec, start))
    return (template for template in templates if isinstance(template, Graph))


def _has_fans(graph: Graph) -> bool:
    return any(node.fan is not None and node.fan.chunk is None for node in graph.nodes)
