"""A graph as a `dag` template of Argo. Pure.

Every dependency is written in full. A node that takes what is left of a fan of which some may fail begins after that
fan however it ends, and sees itself whether enough have succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sciflow.core.expr import Const
from sciflow.core.graph import Fan, Graph, Node, OpTemplate, Suspend, Template
from sciflow.core.needs import needed_nodes
from sciflow.executors.argo.facts import chunk_of
from sciflow.executors.argo.naming import names

Manifest = dict[str, Any]

AT, PHASE = "{{inputs.parameters.at}}", "{{inputs.parameters.phase}}"
ITEM = "{{item}}"


class Surrounding(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph's template must know of the others."""

    templates: Mapping[str, Template]
    name_of: Callable[[Node], str]  # the template that runs a node
    planner: str  # the template that tells in how many parts a node is run
    totals: Mapping[str, int]  # tasks of its nodes, by id, as far as they are known beforehand
    pods: int
    exits: bool  # it is part of the exit handler


def dag_template(name: str, graph: Graph, around: Surrounding) -> Manifest:
    """The template of a graph."""
    tasks = [task for node in graph.nodes for task in _Tasks(graph, around).of(node)]
    parameters = [{"name": "at", "value": ""}, *([{"name": "phase", "value": ""}] if around.exits else [])]
    return {
        "name": name,
        "inputs": {"parameters": parameters},
        "dag": {"failFast": False, "tasks": tasks},
        **({"parallelism": graph.parallelism} if graph.parallelism is not None else {}),
    }


class _Tasks:
    """Nodes of one graph as tasks."""

    def __init__(self, graph: Graph, around: Surrounding) -> None:
        self._around = around
        self._nodes = {node.id: node for node in graph.nodes}
        ids = list(self._nodes)
        self._names = names([*ids, *(f"{id_}-plan" for id_ in ids)])

    def of(self, node: Node) -> list[Manifest]:
        """The tasks of one node: one, and one that counts where that is not known beforehand."""
        known = self._known(node)
        task: Manifest = {"name": self._names[node.id], "template": self._around.name_of(node)}
        if known is not None:
            return [{**task, **self._depends(node), **self._static(node, known)}]
        planner = self._names[f"{node.id}-plan"]
        parts = f"int(tasks['{planner}'].outputs.parameters.parts)"
        plan = {
            "name": planner,
            "template": self._around.planner,
            **self._depends(node),
            **_arguments(path=f"{AT}{node.id}", **self._phase()),
        }
        after = {"depends": f"{planner}.Succeeded"}
        if node.fan is not None:
            return [plan, {**task, **after, **self._call(node), "withSequence": {"count": f"{{{{={parts}}}}}"}}]
        return [plan, {**task, **after, **self._call(node), "when": f"{{{{={parts} > 0}}}}"}]

    def _static(self, node: Node, total: int) -> Manifest:
        if node.fan is None:
            return {**self._call(node), **({} if total else {"when": "false"})}
        each = chunk_of(node.fan, total, self._around.pods) if self._is_op(node) else 1
        return {**self._call(node), "withSequence": {"count": str(-(-total // each))}}

    def _known(self, node: Node) -> int | None:
        """How many tasks a node has, if that is known beforehand."""
        if node.id in self._around.totals:
            return self._around.totals[node.id]
        if node.when is not None:
            return None
        return 1 if node.fan is None else _constant_total(node.fan)

    def _is_op(self, node: Node) -> bool:
        return isinstance(self._around.templates[node.template], OpTemplate)

    def _call(self, node: Node) -> Manifest:
        match self._around.templates[node.template]:
            case Suspend():
                return _arguments(path=f"{AT}{node.id}")
            case OpTemplate():
                chunk = "0" if node.fan is None else ITEM
                return _arguments(path=f"{AT}{node.id}", chunk=chunk, **self._phase())
            case Graph():
                slice_ = "" if node.fan is None else f"{ITEM}/"
                return _arguments(at=f"{AT}{node.id}/{slice_}", **self._phase())

    def _phase(self) -> dict[str, str]:
        return {"phase": PHASE} if self._around.exits else {}

    def _depends(self, node: Node) -> Manifest:
        needed = [self._nodes[id_] for id_ in sorted(needed_nodes(node))]
        terms = [self._ended(other) for other in needed]
        return {"depends": " && ".join(terms)} if terms else {}

    def _ended(self, node: Node) -> str:
        name = self._names[node.id]
        ends = ["Succeeded", "Skipped"]
        if node.fan is not None and node.fan.min_success is not None:
            ends += ["Failed", "Errored"]
        return "(" + " || ".join(f"{name}.{end}" for end in ends) + ")"


def _constant_total(fan: Fan) -> int | None:
    """How many slices a fan over constants has."""
    lengths = [
        len(expr.value) for expr in fan.over.values() if isinstance(expr, Const) and isinstance(expr.value, list)
    ]
    if len(lengths) < len(fan.over):
        return None
    if fan.mode == "product":
        total = 1
        for length in lengths:
            total *= length
        return total
    return lengths[0] if len(set(lengths)) == 1 else None


def _arguments(**values: str) -> Manifest:
    return {"arguments": {"parameters": [{"name": name, "value": value} for name, value in values.items()]}}
