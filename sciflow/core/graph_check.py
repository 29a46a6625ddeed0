"""What can be wrong with one graph: its nodes, where their inputs come from, and what it gives back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from sciflow.core.absence import Absences, Facts, conjuncts
from sciflow.core.checking import Checker
from sciflow.core.conform import misfit
from sciflow.core.expr import Const, Expr, Output, leaves
from sciflow.core.fan_check import check_fan
from sciflow.core.fitting import Place, fit
from sciflow.core.graph import Graph, Node, Template, fanned
from sciflow.core.keys import check_id, check_key
from sciflow.core.naming import meant, misnamed, names
from sciflow.core.ordering import find_cycle
from sciflow.core.ports import ANY, Port, Type, accepts_none
from sciflow.core.spelling import spelled
from sciflow.errors import Problem
from sciflow.runner.duration import is_seconds


class GraphCheck:
    """One graph, looked at with the templates it refers to."""

    def __init__(self, graph: Graph, templates: Mapping[str, Template], ports: Mapping[str, dict[str, Port]]) -> None:
        self.graph = graph
        self.templates = templates
        self.ports = ports
        self.checker = Checker(inputs={p.name: p.type for p in graph.inputs})
        self._seen_conditions: set[int] = set()  # ids of expressions, which the graph keeps alive
        conditions = {n.id: conjuncts(n.when) for n in graph.nodes if n.when is not None}
        self.absences = Absences(conditions, self.checker)

    def problems(self) -> list[Problem]:
        """Everything found."""
        checker = self.checker
        for node in self.graph.nodes:
            if node.id in checker.outputs:
                checker.where = node.where
                checker.say(
                    f"two nodes are called {node.id}",
                    expected="a name of its own for every node",
                    found=node.id,
                    fix="rename one of them",
                )
            checker.outputs[node.id] = self._output(node)
        keys: dict[str, str] = {}
        for node in self.graph.nodes:
            self._check_node(node, keys)
        checker.where = self.graph.where
        self._check_order()
        self._check_result()
        self._check_exit()
        self._check_limits()
        return checker.problems

    def _output(self, node: Node) -> Type:
        template = self.templates.get(node.template)
        return ANY if template is None else fanned(template.output, node.fan)

    def _check_node(self, node: Node, keys: dict[str, str]) -> None:
        checker = self.checker
        checker.where = node.where
        checker.items = None
        check_id(node, checker)
        if node.template not in self.templates:
            checker.say(
                f"there is no template {node.template!r}",
                expected=names(self.templates),
                found=node.template,
                fix=meant(node.template, self.templates),
            )
            return
        ports = self.ports[node.template]
        self._check_names(node, ports)
        facts = self.absences.conditions.get(node.id, ())
        for name, expr in node.inputs.items():
            if name in ports:
                fit(expr, ports[name].type, Place(name, node.template, node.template), checker)
                self._check_absent(expr, facts, port=ports[name], node=node)
        if node.fan is not None:
            checker.items = check_fan(node, node.fan, ports, facts, self.absences)
        if node.when is not None:
            self._check_condition(node)
        check_key(node, checker, keys)
        self._check_place(node)

    def _check_names(self, node: Node, ports: dict[str, Port]) -> None:
        given = [*node.inputs, *([] if node.fan is None else node.fan.over)]
        wrong = misnamed(given, ports)
        for name, fix in wrong.unknown.items():
            self.checker.say(f"{node.template} has no input {name!r}", expected=names(ports), found=name, fix=fix)
        if wrong.missing:
            several = "inputs" if len(wrong.missing) > 1 else "input"
            self.checker.say(
                f"{node.template} is not given its {several} {', '.join(wrong.missing)}",
                expected=", ".join(f"{n}: {ports[n].type}" for n in wrong.missing),
                found=f"only {names(given)}" if given else "no arguments",
                fix=f"pass {wrong.missing[0]}=..., or give it a default",
            )

    def _check_absent(self, expr: Expr, facts: Facts, *, port: Port, node: Node) -> None:
        if port.default is None and not accepts_none(port.type):
            self.absences.check(
                expr,
                facts,
                f"{port.name} of {node.template}",
                f"annotate {port.name} as {port.type} | None, give it a default, use choose(condition, a, b), "
                f"or call {node.template} under the same condition",
            )

    def _check_condition(self, node: Node) -> None:
        checker = self.checker
        condition = node.when
        assert condition is not None
        held: Facts = ()
        for part in conjuncts(condition):
            if id(part) not in self._seen_conditions:  # else it was told at the first node under it
                self._seen_conditions.add(id(part))
                checker.truth(part, checker.type_of(part))
                fix = "nest it under the condition of {source}, or use choose(condition, a, b)"
                self.absences.check(part, held, f"the condition of {node.id}", fix)
            held = (*held, part)

    def _check_place(self, node: Node) -> None:
        for name, expr in (("executor", node.executor), ("image", node.image)):
            if expr is not None and not isinstance(expr, Const):
                found = self.checker.type_of(expr)
                if found.name not in {"str", "any", "literal"}:
                    self.checker.say(
                        f"option {name} of {node.id} is no name",
                        expected="str",
                        found=f"{spelled(expr)}: {found}",
                        fix="use an input that is text",
                    )

    def _check_order(self) -> None:
        needs = {n.id: _needed(n) for n in self.graph.nodes}
        for node in self.graph.nodes:
            unknown = next((n for n in node.after if n not in needs), None)
            if unknown is not None:
                self.checker.where = node.where
                what = f"{node.id} is to come after {unknown!r}, which is no node here"
                self.checker.say(what, expected=names(needs), found=unknown, fix=meant(unknown, needs))
        ring = find_cycle(needs)
        if ring:
            self.checker.where = next(n.where for n in self.graph.nodes if n.id == ring[0])
            self.checker.say(
                f"nodes wait for one another: {' -> '.join([*ring, ring[0]])}",
                expected="an order in which they can run",
                found="a cycle",
                fix="take one of the edges out",
            )

    def _check_result(self) -> None:
        graph, checker = self.graph, self.checker
        checker.where = graph.where
        fit(graph.result, graph.output, Place("the result", graph.name), checker)
        if not accepts_none(graph.output):
            fix = f"annotate it as {graph.output} | None, or return choose(condition, a, b)"
            self.absences.check(graph.result, (), f"the result of {graph.name}", fix)

    def _check_exit(self) -> None:
        name = self.graph.on_exit
        if name is None:
            return
        if name not in self.templates:
            self.checker.say(
                f"there is no template {name!r} to run at the exit",
                expected=names(self.templates),
                found=name,
                fix=meant(name, self.templates),
            )
            return
        ports = self.ports[name]
        if not _takes_phase(ports):
            found = ", ".join(f"{n}: {p.type}" for n, p in ports.items()) or "no inputs"
            self.checker.say(
                f"{name} cannot be the exit handler of {self.graph.name}",
                expected="an op or workflow with one input, phase: str",
                found=found,
                fix=f"write def {name}(phase: str) -> None",
            )

    def _check_limits(self) -> None:
        graph = self.graph
        limits = (
            ("timeout_s", "seconds above 0, or None", "write timeout_s=600", is_seconds),
            ("parallelism", "a count from 1, or None", "write parallelism=8", _is_whole),
        )
        for name, expected, fix, fits in limits:
            value = getattr(graph, name)
            if value is not None and not (fits(value) and value > 0):
                self.checker.say(
                    f"{name} of {graph.name} cannot be {value!r}", expected=expected, found=repr(value), fix=fix
                )


def _is_whole(value: object) -> bool:
    return type(value) is int


def _takes_phase(ports: Mapping[str, Port]) -> bool:
    """Whether a call with `phase`, a text, and nothing else will do."""
    phase = ports.get("phase")
    if phase is None or misfit("Succeeded", phase.type) is not None:
        return False
    return all(port is phase or port.default is not None for port in ports.values())


def _needed(node: Node) -> list[str]:
    """The nodes that have to end before: all that an expression of the node rests on, and those of `after`."""
    lists = () if node.fan is None else node.fan.over.values()
    exprs: Iterable[Expr | None] = chain(node.inputs.values(), lists, (node.when, node.key, node.executor, node.image))
    used = chain.from_iterable(leaves(expr) for expr in exprs if expr is not None)
    return [*(leaf.node for leaf in used if isinstance(leaf, Output)), *node.after]
