"""Cycles: of nodes in a graph, and of templates that call one another. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import chain

from sciflow.core.absence import conjuncts
from sciflow.core.expr import BROKEN, leaves
from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.errors import Problem


def find_cycle(needs: Mapping[str, list[str]]) -> list[str]:
    """Names that need one another in a ring, in order; empty if there is no ring. Unknown names are passed over."""
    order = TopologicalSorter({name: [n for n in needed if n in needs] for name, needed in needs.items()})
    try:
        order.prepare()
    except CycleError as error:
        ring: list[str] = error.args[1][:0:-1]  # from what is needed to what needs it, its first name twice
        first = ring.index(next(name for name in needs if name in ring))
        return ring[first:] + ring[:first]
    return []


def recursion_problems(spec: WorkflowSpec) -> Iterator[Problem]:
    """Workflows that call themselves without end, or one another."""
    graphs = [template for template in spec.templates.values() if isinstance(template, Graph)]
    calls = {graph.name: _callees(graph, spec) for graph in graphs}
    ring = find_cycle(calls)
    if ring:
        yield Problem(
            where=spec.templates[ring[0]].where,
            what=f"workflows call one another in a ring: {' -> '.join([*ring, ring[0]])}",
            expected="a workflow that calls at most itself",
            found=f"{ring[0]} is reached from itself through {', '.join(ring[1:])}",
            fix="make one workflow of them that calls itself under `with when(...):`",
        )
    yield from chain.from_iterable(map(_unguarded, graphs))


def _callees(graph: Graph, spec: WorkflowSpec) -> list[str]:
    """The other workflows that a workflow calls."""
    called = dict.fromkeys([*(node.template for node in graph.nodes), graph.on_exit or ""])
    return [name for name in called if name != graph.name and isinstance(spec.templates.get(name), Graph)]


def _unguarded(graph: Graph) -> Iterator[Problem]:
    for node in graph.nodes:
        guarded = node.when is not None and (bool(leaves(node.when)) or BROKEN in conjuncts(node.when))
        if node.template == graph.name and not guarded:
            yield Problem(
                where=node.where,
                what=f"{graph.name} calls itself without end",
                expected="a call under a condition that some day does not hold",
                found="no condition" if node.when is None else "a condition that never changes",
                fix=f"write `with when(n > 0):` around the call of {graph.name}",
            )
