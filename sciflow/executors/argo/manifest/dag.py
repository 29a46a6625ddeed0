"""A graph as a `dag` template of Argo. Pure.

Every dependency is written in full. A node that takes what is left of a fan of which some may fail begins after that
fan however it ends, and sees itself whether enough have succeeded; so does one that comes after a graph with such a
fan in it.

Whether a node is run and in how many parts is known beforehand; or Argo works it out from numbers that it is told; or
a pod does, in a task `<node>-plan` before the node's own. That one stands there too where Argo works it out, and runs
only if one of the numbers could not be told: what a run does never depends on what Argo can reckon with.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

import msgspec

from sciflow.core.graph import Graph, Node, OpTemplate, Suspend, Template
from sciflow.core.needs import needed_nodes
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.demands import Demands, GraphLeaves, task_names
from sciflow.executors.argo.manifest.numbers import UNTOLD, untold
from sciflow.executors.argo.place.facts import chunk_of, share_of
from sciflow.executors.dispatched import dispatcher_of
from sciflow.runner.telling import NUMBERS_BELOW

AT, PHASE = "{{inputs.parameters.at}}", "{{inputs.parameters.phase}}"
ITEM = "{{item}}"
PARTS = "parts"  # of a fan, for the template that it is
PODS = "pods"  # that a fan of a graph may have, where several such graphs share them


class Surrounding(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph's template must know of the others."""

    templates: Mapping[str, Template]
    name_of: Callable[[Node], str]  # the template that runs a node
    free: Callable[[str], str]  # a name for another template
    planner: str  # the template that tells in how many parts a node is run
    totals: Mapping[str, int]  # tasks of its nodes, by id, as far as they are known beforehand
    pods: int  # of a fan, at most
    sharing: frozenset[str]  # graphs of which several may be at work side by side: they share the pods
    workers: int  # slices at once in a pod
    exits: bool  # it is part of the exit handler
    demands: Demands
    dispatchers: Container[str] = ()  # executors of batch systems, to which a pod gives all tasks of a node


def dag_templates(name: str, key: str, around: Surrounding) -> list[Manifest]:
    """The template of the graph that the workflow knows by `key`; and one for each fan that keeps to a parallelism."""
    graph = around.templates[key]
    assert isinstance(graph, Graph)
    leaves = GraphLeaves(key, graph, around.templates, totals=around.totals, demands=around.demands)
    pods = f"int(inputs.parameters.{PODS})" if key in around.sharing else str(around.pods)
    writer = _Tasks(name, graph, around, leaves, pods=pods)
    tasks = [task for node in graph.nodes for task in writer.of(node)]
    parameters = [{"name": "at", "value": ""}, *([{"name": "phase", "value": ""}] if around.exits else [])]
    parameters += [{"name": PODS, "value": str(around.pods)}] if key in around.sharing else []
    parameters += [{"name": told.name, "value": UNTOLD} for told in around.demands.of_inputs(key)]
    results = [
        {"name": name, "valueFrom": {"expression": text, "default": UNTOLD}} for name, text in leaves.results().items()
    ]
    template = {
        "name": name,
        "inputs": {"parameters": parameters},
        **({"outputs": {"parameters": results}} if results else {}),
        "dag": {"failFast": False, "tasks": tasks},
        **({"parallelism": graph.parallelism} if graph.parallelism is not None else {}),
    }
    return [template, *writer.fans]


class Counting(msgspec.Struct, frozen=True, kw_only=True):
    """How Argo works out in how many parts a node is run, or whether it is."""

    text: str  # of a fan: how many parts; else: whether it is run
    doubts: tuple[str, ...]  # conditions any of which says that it cannot


class _Tasks:
    """Nodes of one graph as tasks."""

    def __init__(self, name: str, graph: Graph, around: Surrounding, leaves: GraphLeaves, *, pods: str) -> None:
        """`pods`: of a fan at most, as they are printed."""
        self.fans: list[Manifest] = []  # templates of those that keep to a parallelism
        self._name = name
        self._around = around
        self._leaves = leaves
        self._pods = pods
        self._nodes = {node.id: node for node in graph.nodes}
        self._names = task_names(graph)

    def of(self, node: Node) -> list[Manifest]:
        """The tasks of one node: one, and one that plans it where that may be needed."""
        node = _undivided(node, self._around.dispatchers)
        *before, task = self._of(node)
        if node.fan is None or node.fan.parallelism is None:
            return [*before, task]
        slices = node.fan.parallelism
        most = max(1, slices // min(self._around.workers, slices)) if self._is_op(node) else slices
        return [*before, self._limited(task, most)]

    def _limited(self, task: Manifest, most: int) -> Manifest:
        """A fan as a template of its own, within which so many pods or graphs are at work: Argo limits no task."""
        own = {parameter["name"]: parameter["value"] for parameter in task["arguments"]["parameters"]}
        handed = {name: value for name, value in own.items() if ITEM not in value and name != "path"}
        outer = {"at": AT, **handed, PARTS: task["withSequence"]["count"]}
        inner = {name: f"{{{{inputs.parameters.{name}}}}}" if name in handed else value for name, value in own.items()}
        name = self._around.free(f"{self._name}-{task['name']}-fan")
        fan = {
            **{key: task[key] for key in ("name", "template")},
            **_arguments(**inner),
            "withSequence": {"count": f"{{{{inputs.parameters.{PARTS}}}}}"},
        }
        self.fans.append(
            {
                "name": name,
                "inputs": {"parameters": [{"name": one} for one in outer]},
                "parallelism": most,
                "dag": {"failFast": False, "tasks": [fan]},
            }
        )
        kept = {key: value for key, value in task.items() if key not in {"withSequence", "arguments", "template"}}
        return {**kept, "template": name, **_arguments(**outer)}

    def _of(self, node: Node) -> list[Manifest]:
        task: Manifest = {"name": self._names[node.id], "template": self._around.name_of(node)}
        known = self._known(node)
        if known is not None:
            return [{**task, **self._depends(node), **self._static(node, known)}]
        planner = self._names[f"{node.id}-plan"]
        counting = counting_of(node, self._leaves, self._pods_of(node))
        if counting is not None and not counting.doubts:
            return [{**task, **self._depends(node), **self._call(node, counting.text), **_if(node, counting.text)}]
        plan = {
            "name": planner,
            "template": self._around.planner,
            **self._depends(node),
            **_arguments(path=f"{AT}{node.id}", **self._phase()),
        }
        parts = f"int(tasks['{planner}'].outputs.parameters.parts)"
        found = parts if node.fan is not None else f"{parts} > 0"
        if counting is None:
            after = {"depends": f"{planner}.Succeeded"}
            return [plan, {**task, **after, **self._call(node, found), **_if(node, found)}]
        after = {"depends": f"({planner}.Succeeded || {planner}.Skipped)"}
        plan["when"] = f"{{{{={' || '.join(counting.doubts)}}}}}"
        found = f"tasks['{planner}'].status == 'Succeeded' ? {found} : {counting.text}"
        return [plan, {**task, **after, **self._call(node, found), **_if(node, found)}]

    def _static(self, node: Node, total: int) -> Manifest:
        if node.fan is None:
            return {**self._call(node), **({} if total else {"when": "false"})}
        if not self._is_op(node):
            count = str(total)
        elif dispatcher_of(node, self._around.dispatchers):
            count = str(min(total, 1))
        elif self._pods.isdigit() or node.fan.chunk is not None:
            count = str(-(-total // chunk_of(node.fan, total, self._around.pods)))
        else:
            count = f"{{{{={_chunks(str(total), None, self._pods)}}}}}"
        return {**self._call(node, str(total)), "withSequence": {"count": count}}

    def _known(self, node: Node) -> int | None:
        """How many tasks a node has, if that is known beforehand."""
        if node.id in self._around.totals:
            return self._around.totals[node.id]
        if node.when is not None:
            return None
        if node.fan is None:
            return 1
        total = self._leaves.fan(node)
        return None if total is None or total.unequal else total.slices.constant

    def _pods_of(self, node: Node) -> str | None:
        """The pods of a fan at most, as they are printed; None of a graph."""
        if not self._is_op(node):
            return None
        return "1" if dispatcher_of(node, self._around.dispatchers) else self._pods

    def _is_op(self, node: Node) -> bool:
        return isinstance(self._around.templates[node.template], OpTemplate)

    def _call(self, node: Node, slices: str = "") -> Manifest:
        """The arguments of what a node runs; `slices`: how many graphs it runs, as it is printed, if it is a fan."""
        match self._around.templates[node.template]:
            case Suspend():
                return _arguments(path=f"{AT}{node.id}")
            case OpTemplate():
                chunk = "0" if node.fan is None else ITEM
                return _arguments(path=f"{AT}{node.id}", chunk=chunk, **self._phase())
            case Graph():
                slice_ = "" if node.fan is None else f"{ITEM}/"
                told = {**self._share(node, slices), **self._leaves.arguments(node)}
                return _arguments(at=f"{AT}{node.id}/{slice_}", **self._phase(), **told)

    def _share(self, node: Node, slices: str) -> dict[str, str]:
        """How many pods a fan may have in the graph that a node runs: the arithmetic of `share_of`."""
        if node.template not in self._around.sharing:
            return {}
        if node.fan is None:
            return {} if self._pods.isdigit() else {PODS: f"{{{{inputs.parameters.{PODS}}}}}"}
        if self._pods.isdigit() and slices.isdigit():
            return {PODS: str(share_of(self._around.pods, int(slices)))}
        return {PODS: f"{{{{=max(int({self._pods} / max({slices}, 1)), 1)}}}}"}

    def _phase(self) -> dict[str, str]:
        return {"phase": PHASE} if self._around.exits else {}

    def _depends(self, node: Node) -> Manifest:
        needed = [self._nodes[id_] for id_ in sorted(needed_nodes(node))]
        terms = [self._ended(other) for other in needed]
        return {"depends": " && ".join(terms)} if terms else {}

    def _ended(self, node: Node) -> str:
        name = self._names[node.id]
        ends = ["Succeeded", "Skipped"]
        tolerant = node.fan is not None and node.fan.min_success is not None
        if tolerant or node.template in self._around.demands.silent:
            ends += ["Failed", "Errored"]
        return "(" + " || ".join(f"{name}.{end}" for end in ends) + ")"


def _undivided(node: Node, dispatchers: Container[str]) -> Node:
    """The node; if one pod gives its tasks to a batch system, it divides them, and sees to the fan's parallelism."""
    if node.fan is None or not dispatcher_of(node, dispatchers):
        return node
    return msgspec.structs.replace(node, fan=msgspec.structs.replace(node.fan, chunk=None, parallelism=None))


def counting_of(node: Node, leaves: GraphLeaves, most_pods: str | None) -> Counting | None:
    """How Argo works out whether a node is run, and in how many parts; None if it cannot.

    `most_pods`: of a fan of an op, which is run in chunks, as they are printed; those of a graph are single slices.
    """
    condition = leaves.condition(node) if node.when is not None else None
    if node.when is not None and condition is None:
        return None
    rests_on = condition.rests_on if condition is not None else frozenset[str]()
    if node.fan is None:
        return Counting(text=condition.text if condition is not None else "true", doubts=tuple(untold(rests_on)))
    total = leaves.fan(node)
    if total is None:
        return None
    count = _chunks(total.slices.text, node.fan.chunk, most_pods)
    doubts = untold(rests_on | total.slices.rests_on)
    wrong = [total.unequal, f"{total.slices.text} >= {NUMBERS_BELOW}" if total.slices.most >= NUMBERS_BELOW else ""]
    wrong = [doubt for doubt in wrong if doubt]
    if condition is None:
        return Counting(text=count, doubts=(*doubts, *wrong))
    doubts += [f"({condition.text} && ({doubt}))" for doubt in wrong]
    return Counting(text=f"({condition.text} ? {count} : 0)", doubts=tuple(doubts))


def _chunks(slices: str, chunk: int | None, most_pods: str | None) -> str:
    """In how many chunks so many slices are run: the arithmetic of `chunk_of`, exact as long as divisions are."""
    if most_pods is None or chunk == 1:
        return slices
    each = f"max(ceil({slices} / {most_pods}), 1)" if chunk is None else str(chunk)
    return f"int(ceil({slices} / {each}))"


def _if(node: Node, text: str) -> Manifest:
    """That a node is run in so many parts, or if so."""
    expression = f"{{{{={text}}}}}"
    return {"when": expression} if node.fan is None else {"withSequence": {"count": expression}}


def _arguments(**values: str) -> Manifest:
    return {"arguments": {"parameters": [{"name": name, "value": value} for name, value in values.items()]}}
