"""What is told in the graphs of a workflow, by whom: pods, graphs and those that run them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from sciflow.core.absence import absent, conjuncts
from sciflow.core.expr import Const, Expr, Input, Output
from sciflow.core.graph import Fan, Graph, Node, Suspend, Template
from sciflow.executors.argo.manifest.expr import Printed, Printer, leaf, number, truth, whole
from sciflow.executors.argo.manifest.naming import names
from sciflow.executors.argo.manifest.numbers import UNTOLD, Number, constant_told, kind_of, part_at, untold
from sciflow.executors.argo.manifest.tolerance import tolerant_graphs
from sciflow.executors.argo.manifest.totals import Total, product_total, zip_total
from sciflow.runner.telling import LENGTHS_BELOW, NUMBERS_BELOW


class Demands(msgspec.Struct):
    """What is asked of the templates of a workflow; of those in `silent` nothing is, see `tolerance`."""

    silent: frozenset[str] = frozenset()
    results: dict[str, set[Number]] = {}
    inputs: dict[str, set[Number]] = {}

    def size(self) -> int:
        """How much that is."""
        return sum(map(len, self.results.values())) + sum(map(len, self.inputs.values()))

    def of_result(self, template: str) -> list[Number]:
        """Of what a template gives back, in order."""
        return sorted(self.results.get(template, ()))

    def of_inputs(self, template: str) -> list[Number]:
        """Of what a graph is given, in order."""
        return sorted(self.inputs.get(template, ()))


def task_names(graph: Graph) -> dict[str, str]:
    """Names of the tasks of nodes by their ids, and of those that plan them by `<id>-plan`."""
    ids = [node.id for node in graph.nodes]
    return names([*ids, *(f"{id_}-plan" for id_ in ids)])


class GraphLeaves:
    """See `expr.Leaves`: what is told in one graph; who is to tell it is noted down."""

    def __init__(
        self,
        name: str,
        graph: Graph,
        templates: Mapping[str, Template],
        *,
        totals: Mapping[str, int],
        demands: Demands,
    ) -> None:
        """`totals`: tasks of nodes, by id, as far as they are known beforehand."""
        self._name = name
        self._graph = graph
        self._templates = templates
        self._totals = totals
        self._demands = demands
        self._tasks = task_names(graph)
        self._nodes = {node.id: node for node in graph.nodes}
        self._conditions = {node.id: conjuncts(node.when) for node in graph.nodes if node.when is not None}
        self._slices: dict[str, Printed | None] = {}  # of fans: others may be as long as they are
        self.printer = Printer(self)

    # --- leaves

    def told(self, expr: Input | Output, path: tuple[str, ...], *, length: bool) -> Printed | None:
        """See `Leaves`."""
        match expr:
            case Input(port=port):
                type_ = next((p.type for p in self._graph.inputs if p.name == port), None)
                asked, place = (self._demands.inputs, self._name), "inputs"
                full = (port, *path)
            case Output(node=id_):
                node = self._nodes[id_]
                template = self._templates[node.template]
                if node.fan is not None or isinstance(template, Suspend) or node.template in self._demands.silent:
                    return None
                type_, full = template.output, path
                asked, place = (self._demands.results, node.template), f"tasks['{self._tasks[id_]}'].outputs"
        kind = kind_of(type_, path, length=length)
        if kind is None or not all(step.isascii() and (step.isidentifier() or step.isdigit()) for step in full):
            return None
        wanted = Number(kind=kind, path=full)
        asked[0].setdefault(asked[1], set()).add(wanted)
        name = f".{wanted.name}" if wanted.name.isidentifier() else f"['{wanted.name}']"
        return leaf(f"{place}.parameters{name}", kind)

    def slices(self, node: str) -> Printed | None:
        """See `Leaves`."""
        if node not in self._slices:
            self._slices[node] = self._slices_of(self._nodes[node])
        return self._slices[node]

    def _slices_of(self, node: Node) -> Printed | None:
        if node.fan is None:
            return None
        if self._totals.get(node.id):
            return whole(self._totals[node.id])
        total = self.total(node.fan)
        return None if total is None or total.unequal else total.slices

    # --- nodes

    def condition(self, node: Node) -> Printed | None:
        """Whether a node runs; None if that cannot be printed."""
        assert node.when is not None
        if absent(node.when, self._conditions, ()) is not None:
            return None
        found = self.printer.value(node.when)
        return None if found is None else truth(found)

    def fan(self, node: Node) -> Total | None:
        """How many slices a node has once it runs; None if that cannot be printed."""
        assert node.fan is not None
        facts = self._conditions.get(node.id, ())
        if any(absent(expr, self._conditions, facts) is not None for expr in node.fan.over.values()):
            return None
        return self.total(node.fan)

    def total(self, fan: Fan) -> Total | None:
        """The same, if nothing that the fan rests on was skipped."""
        lengths = [self.printer.length(expr) for expr in fan.over.values()]
        known = [length for length in lengths if length is not None]
        if not known or len(known) < len(lengths):
            return None
        return product_total(known) if fan.mode == "product" else zip_total(known)

    def demand(self, node: Node) -> None:
        """Notes down what a node rests on."""
        condition = self.condition(node) if node.when is not None and node.id not in self._totals else None
        runs = node.when is None or condition is not None
        if node.fan is not None and runs and node.id not in self._totals:
            self.fan(node)
        if isinstance(self._templates[node.template], Graph):
            self.arguments(node)

    # --- what is told by this graph

    def arguments(self, node: Node) -> dict[str, str]:
        """What a node tells the graph that it runs; nothing of what it cannot tell."""
        template = self._templates[node.template]
        assert isinstance(template, Graph)
        defaults = {port.name: port.default for port in template.inputs if port.default is not None}
        facts = self._conditions.get(node.id, ())
        made = {}
        for wanted in self._demands.of_inputs(node.template):
            expr = node.inputs.get(wanted.path[0], defaults.get(wanted.path[0]))
            if expr is None or absent(expr, self._conditions, facts) is not None:
                continue
            text = self._telling(expr, wanted.kind, wanted.path[1:], may_be_skipped=bool(facts))
            if text is not None:
                made[wanted.name] = text if isinstance(expr, Const) else f"{{{{={text}}}}}"
        return made

    def results(self) -> dict[str, str]:
        """What the graph tells of its result: an expression for each parameter."""
        wanted = self._demands.of_result(self._name)
        known = absent(self._graph.result, self._conditions, ()) is None
        texts = {
            one.name: self._telling(self._graph.result, one.kind, one.path, may_be_skipped=False) if known else None
            for one in wanted
        }
        return {name: f"'{UNTOLD}'" if text is None else text for name, text in texts.items()}

    def _telling(self, expr: Expr, kind: str, path: tuple[str, ...], *, may_be_skipped: bool) -> str | None:
        """A number as text, UNTOLD where that is all that there is to tell; None if it never can be told."""
        if isinstance(expr, Const):
            return constant_told(expr.value, kind, path)
        part = part_at(expr, path)
        found = None if part is None else self.printer.length(part) if kind == "length" else self.printer.value(part)
        if found is None or found.kind == "float" or (kind == "bool" and found.kind != "bool"):
            return None
        value = found if kind == "bool" else number(found)
        ends = LENGTHS_BELOW if kind == "length" else NUMBERS_BELOW
        doubts = [f"abs({value.text}) >= {ends}"] if value.most >= ends else []
        unknown = " || ".join([*untold(found.rests_on, or_skipped=may_be_skipped), *doubts])
        return f"({unknown}) ? '{UNTOLD}' : {value.text}" if unknown else value.text


def demands_of(
    templates: Mapping[str, Template], used: Iterable[str], *, totals: Callable[[str], Mapping[str, int]]
) -> Demands:
    """All that the graphs among some templates ask for: of each other, and of pods."""
    demands, before, used = Demands(silent=tolerant_graphs(templates)), -1, list(used)
    graphs = {name: graph for name in used if isinstance(graph := templates[name], Graph)}
    while before != demands.size():  # what is told may rest on what others tell
        before = demands.size()
        for name, graph in graphs.items():
            leaves = GraphLeaves(name, graph, templates, totals=totals(name), demands=demands)
            for node in graph.nodes:
                leaves.demand(node)
            leaves.results()
    return demands
