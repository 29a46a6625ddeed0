"""How many pods a run has at least, as far as its inputs tell. Pure.

Counted is what certainly runs, as in `depth`. Fans count whose lists are known: constants, inputs of the run, and what
another fan of known length gives. Of the others, and of what only the run finds out, nothing is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from math import prod

import msgspec

from sciflow.core.expr import Expr, Output, Tree
from sciflow.core.graph import Fan, Graph, Node, OpTemplate, WorkflowSpec
from sciflow.core.known_scope import Known, KnownScope, holds, value_of
from sciflow.executors.argo.manifest.foreseen import defaults_of
from sciflow.executors.argo.place.facts import chunk_at, share_of

MANY = 1000  # graphs with other inputs: no more of them are looked at


def least_pods(
    spec: WorkflowSpec, inputs: Mapping[str, Tree], pods: int, dispatchers: Container[str] = ()
) -> tuple[int, Node | None]:
    """How many; and the node of the run's own graph that has the most of them. `pods`: of a fan at most.

    `dispatchers`: executors of batch systems, to which one pod gives all tasks of a node.
    """
    entry = spec.templates[spec.entry]
    if not isinstance(entry, Graph):
        return 1, None
    counts = _Counter(spec, pods, dispatchers).nodes(entry, {**defaults_of(entry), **inputs}, ())
    most = max(counts, key=lambda id_: counts[id_], default=None)
    return sum(counts.values()), next((node for node in entry.nodes if node.id == most), None)


class _Counter:
    def __init__(self, spec: WorkflowSpec, pods: int, dispatchers: Container[str]) -> None:
        self._spec = spec
        self._pods = pods
        self._dispatchers = dispatchers
        self._counted: dict[bytes, int] = {}  # of graphs, by their names, shares and inputs

    def nodes(self, graph: Graph, known: Known, above: Sequence[int]) -> dict[str, int]:
        """Pods of the nodes of a graph; `above`: see `chunk_of`."""
        scope, lengths, counts = KnownScope(known), dict[str, int](), dict[str, int]()
        for node in graph.nodes:
            if node.when is not None and not holds(node.when, scope):
                continue
            slices = 1 if node.fan is None else _slices(node.fan, scope, lengths)
            if node.fan is not None and slices:
                lengths[node.id] = slices
            counts[node.id] = self._pods_of(node, slices, scope, above) if slices else 0
        return counts

    def _pods_of(self, node: Node, slices: int, scope: KnownScope, above: Sequence[int]) -> int:
        match self._spec.templates[node.template]:
            case OpTemplate():
                return -(-slices // chunk_at(node, slices, self._pods, above=above, dispatchers=self._dispatchers))
            case Graph() as inner:
                given = {port: tree for port, expr in node.inputs.items() for tree in value_of(expr, scope)}
                defaults = {port: tree for port, tree in defaults_of(inner).items() if port not in node.inputs}
                shared = above if node.fan is None else (*above, slices)
                return slices * self._of(inner, {**defaults, **given}, shared)
            case _:
                return 0

    def _of(self, graph: Graph, known: Known, above: Sequence[int]) -> int:
        pods = self._pods
        for slices in above:
            pods = share_of(pods, slices)
        key = hashlib.sha256(msgspec.json.encode([graph.name, pods, known], order="sorted")).digest()
        if key not in self._counted:
            self._counted[key] = 0  # while it is counted: one that calls itself with the same does not end
            if len(self._counted) <= MANY:
                self._counted[key] = sum(self.nodes(graph, known, above).values())
        return self._counted[key]


def _slices(fan: Fan, scope: KnownScope, lengths: Mapping[str, int]) -> int:
    """How many slices a fan has; 0 if that is not known."""
    found = [_length(expr, scope, lengths) for expr in fan.over.values()]
    return prod(found) if fan.mode == "product" else max(found) if all(found) else 0


def _length(expr: Expr, scope: KnownScope, lengths: Mapping[str, int]) -> int:
    if isinstance(expr, Output) and expr.node in lengths:
        return lengths[expr.node]
    return next((len(tree) for tree in value_of(expr, scope) if isinstance(tree, list)), 0)
