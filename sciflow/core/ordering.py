"""Cycles: of nodes in a graph, and of templates that call one another. Pure, and without recursion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sciflow.core.absence import conjuncts
from sciflow.core.expr import BROKEN, leaves
from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.errors import Problem


def find_cycle(needs: Mapping[str, list[str]]) -> list[str]:
    """Names that need one another in a ring, in order; empty if there is no ring. Unknown names are passed over."""
    known = {name: [n for n in needed if n in needs] for name, needed in needs.items()}
    stuck = _never_ready(known)
    return _walk(next(n for n in needs if n in stuck), known, stuck) if stuck else []


def _never_ready(needs: Mapping[str, list[str]]) -> set[str]:
    """The names that are in a ring, or wait for one."""
    counts = {name: len(needed) for name, needed in needs.items()}
    feeds: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for source in needed:
            feeds[source].append(name)
    ready = [name for name, count in counts.items() if count == 0]
    while ready:
        for name in feeds[ready.pop()]:
            counts[name] -= 1
            if counts[name] == 0:
                ready.append(name)
    return {name for name, count in counts.items() if count > 0}


def _walk(start: str, needs: Mapping[str, list[str]], stuck: set[str]) -> list[str]:
    """Every stuck name needs a stuck one: following them must come round."""
    seen: list[str] = []
    position: dict[str, int] = {}
    name = start
    while name not in position:
        position[name] = len(seen)
        seen.append(name)
        name = next(n for n in needs[name] if n in stuck)
    return seen[position[name] :]


def recursion_problems(spec: WorkflowSpec) -> Iterator[Problem]:
    """Workflows that call themselves without end, or one another."""
    calls = {name: _callees(t, spec) for name, t in spec.templates.items() if isinstance(t, Graph)}
    others = {name: [c for c in callees if c != name] for name, callees in calls.items()}
    ring = find_cycle(others)
    if ring:
        first = spec.templates[ring[0]]
        yield Problem(
            where=first.where,
            what=f"workflows call one another in a ring: {' -> '.join([*ring, ring[0]])}",
            expected="a workflow that calls at most itself",
            found=f"{ring[0]} is reached from itself through {', '.join(ring[1:])}",
            fix="make one workflow of them that calls itself under `with when(...):`",
        )
    for template in spec.templates.values():
        if isinstance(template, Graph):
            yield from _unguarded(template)


def _callees(graph: Graph, spec: WorkflowSpec) -> list[str]:
    called = [n.template for n in graph.nodes] + ([graph.on_exit] if graph.on_exit else [])
    return list(dict.fromkeys(c for c in called if isinstance(spec.templates.get(c), Graph)))


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
