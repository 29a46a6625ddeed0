"""How deep the workflows of a run call each other, as far as its inputs tell. Pure.

Followed is what certainly runs: nodes without a condition, and those whose condition holds whatever else the run finds
out. Of fans nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.core.graph import Graph, Node, WorkflowSpec
from sciflow.core.known_scope import Known, KnownScope, holds, value_of
from sciflow.executors.argo.manifest.foreseen import defaults_of, scalars

MANY = 1000  # graphs at work on one level: no more is found out


def deeper_than(most: int, spec: WorkflowSpec, inputs: Known) -> Node | None:
    """The node by which a run with these inputs gets deeper than so many levels; None if it does not, or may not."""
    entry = spec.templates[spec.entry]
    level: dict[str, tuple[str, Known, Node | None]] = {}
    if isinstance(entry, Graph):
        level[""] = (spec.entry, scalars(defaults_of(entry) | dict(inputs)), None)
    for _ in range(most):
        level = {
            f"{node.template} {sorted(known.items())!r}": (node.template, known, node)
            for template, outer, _ in level.values()
            for node, known in _calls(spec, template, outer)
        }
        if not level or len(level) > MANY:
            return None
    return next(iter(level.values()))[2] if level else None


def _calls(spec: WorkflowSpec, template: str, known: Known) -> Iterator[tuple[Node, Known]]:
    """The nodes of a graph that certainly run a graph, each with what is known of its inputs."""
    graph, scope = spec.templates[template], KnownScope(known)
    assert isinstance(graph, Graph)
    for node in graph.nodes:
        inner = spec.templates[node.template]
        if isinstance(inner, Graph) and node.fan is None and (node.when is None or holds(node.when, scope)):
            given = {port: tree for port, expr in node.inputs.items() for tree in value_of(expr, scope)}
            defaults = {port: tree for port, tree in defaults_of(inner).items() if port not in node.inputs}
            yield node, scalars(defaults | given)
