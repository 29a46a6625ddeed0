"""What can be wrong with one graph: its nodes, where their inputs come from, and what it gives back. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sciflow.core.absence import Facts, absent, conjuncts
from sciflow.core.checking import Checker, meant, names
from sciflow.core.conform import misfit
from sciflow.core.expr import Build, Call, Const, Expr, Output, leaves
from sciflow.core.fitting import Place, fit, remedy
from sciflow.core.graph import Graph, Node, Suspend, Template
from sciflow.core.inference import item_type
from sciflow.core.keys import check_id, check_key
from sciflow.core.ordering import find_cycle
from sciflow.core.ports import ANY, Port, Type, accepts_none, fits, list_of, optional
from sciflow.core.spelling import spelled
from sciflow.errors import Problem


def ports_of(template: Template) -> dict[str, Port]:
    """A template's inputs by name."""
    return {} if isinstance(template, Suspend) else {port.name: port for port in template.inputs}


class GraphCheck:
    """One graph, looked at with the templates it refers to."""

    def __init__(self, graph: Graph, templates: Mapping[str, Template], ports: Mapping[str, dict[str, Port]]) -> None:
        self.graph = graph
        self.templates = templates
        self.ports = ports
        self.checker = Checker(inputs={p.name: p.type for p in graph.inputs})
        self._seen_conditions: set[int] = set()  # ids of expressions, which the graph keeps alive
        self.conditions: dict[str, Facts] = {n.id: conjuncts(n.when) for n in graph.nodes if n.when is not None}

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
        return checker.problems

    def _output(self, node: Node) -> Type:
        template = self.templates.get(node.template)
        if template is None:
            return ANY
        if node.fan is None:
            return template.output
        return list_of(optional(template.output) if node.fan.min_success is not None else template.output)

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
        facts = self.conditions.get(node.id, ())
        for name, expr in node.inputs.items():
            if name in ports:
                fit(expr, ports[name].type, Place(name, node.template, node.template), checker)
                self._check_absent(expr, facts, port=ports[name], node=node)
        if node.fan is not None:
            self._check_fan(node, ports, facts)
        if node.when is not None:
            self._check_condition(node)
        check_key(node, checker, keys)
        self._check_place(node)

    def _check_names(self, node: Node, ports: dict[str, Port]) -> None:
        given = {*node.inputs, *(node.fan.over if node.fan is not None else ())}
        missing = [name for name, port in ports.items() if port.default is None and name not in given]
        for name in [n for n in (*node.inputs, *(node.fan.over if node.fan is not None else ())) if n not in ports]:
            free = [n for n in ports if n not in given]
            fix = meant(name, free) if free else "leave it out"
            self.checker.say(f"{node.template} has no input {name!r}", expected=names(ports), found=name, fix=fix)
            guess = fix.removeprefix("did you mean ").removesuffix("?")
            missing = [n for n in missing if n != guess]
        if missing:
            several = "inputs" if len(missing) > 1 else "input"
            what = f"{node.template} is not given its {several} {', '.join(missing)}"
            types = ", ".join(f"{n}: {ports[n].type}" for n in missing)
            self.checker.say(
                what,
                expected=types,
                found=f"only {names(given)}" if given else "no arguments",
                fix=f"pass {missing[0]}=..., or give it a default",
            )

    def _check_absent(self, expr: Expr, facts: Facts, *, port: Port, node: Node) -> None:
        if not self.conditions or port.default is not None or accepts_none(port.type):
            return
        source = absent(expr, self.conditions, facts)
        if source is not None:
            self._say_absent(
                source,
                f"{port.name} of {node.template}",
                f"annotate {port.name} as {port.type} | None, give it a default, use choose(condition, a, b), "
                f"or call {node.template} under the same condition",
            )

    def _say_absent(self, source: str, what: str, fix: str) -> None:
        condition = " and ".join(spelled(c) for c in self.conditions[source])
        self.checker.say(
            f"{what} rests on {source}, which is skipped unless {condition}",
            expected="a value that is there in any case",
            found=f"the output of {source}, conditional",
            fix=fix,
        )

    def _check_fan(self, node: Node, ports: dict[str, Port], facts: Facts) -> None:
        checker = self.checker
        fan = node.fan
        assert fan is not None
        items: dict[str, Type] = {}
        for name, expr in fan.over.items():
            items[name] = self._check_list(name, expr, node, ports)
            source = absent(expr, self.conditions, facts) if self.conditions else None
            if source is not None:
                self._say_absent(
                    source,
                    f"the fan of {node.template} over {name}",
                    f"call {node.template} under the same condition, or use choose(condition, a, [])",
                )
        checker.items = items
        lengths = {name: n for name, expr in fan.over.items() if (n := _known_length(expr)) is not None}
        if fan.mode == "zip" and len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {n}" for name, n in lengths.items())
            checker.say(
                f"the lists that {node.template} is mapped over are of unequal length",
                expected="lists of one length",
                found=found,
                fix=f"make them equal, or use {node.template}.product(...) for all combinations",
            )
        if (
            fan.min_success is not None
            and lengths
            and isinstance(fan.min_success, int)
            and fan.min_success > max(lengths.values())
        ):
            checker.say(
                f"{node.template} can never have {fan.min_success} successes",
                expected=f"at most {max(lengths.values())}",
                found=str(fan.min_success),
                fix="lower min_success",
            )

    def _check_list(self, name: str, expr: Expr, node: Node, ports: dict[str, Port]) -> Type:
        """Check a list that is fanned out over and give the type of its elements."""
        checker = self.checker
        expected = ports[name].type if name in ports else ANY
        found = checker.type_of(expr)
        item = item_type(found)
        if item is None:
            fix = f"pass it by .partial({name}=...)" if found.name != "dict" else "take the values: list(d.values())"
            checker.say(
                f"{node.template} is mapped over {name}, which is no list",
                expected=f"list[{expected}]",
                found=f"{spelled(expr)}: {found}",
                fix=fix,
            )
            return expected
        place = Place(name, node.template, node.template, fan=True)
        if isinstance(expr, Build) or isinstance(getattr(expr, "value", None), list):
            fit(expr, list_of(expected), place, checker)
        elif not fits(item, expected):
            told = f"{spelled(expr)}, whose elements are {item}"
            checker.say(f"{place} does not fit", expected=str(expected), found=told, fix=remedy(item, expected, place))
        return item

    def _check_condition(self, node: Node) -> None:
        checker = self.checker
        condition = node.when
        assert condition is not None
        held: Facts = ()
        for part in conjuncts(condition):
            if id(part) in self._seen_conditions:  # told at the first node under it
                held = (*held, part)
                continue
            self._seen_conditions.add(id(part))
            checker.truth(part, checker.type_of(part))
            source = absent(part, self.conditions, held) if self.conditions else None
            if source is not None:
                self._say_absent(
                    source,
                    f"the condition of {node.id}",
                    f"nest it under the condition of {source}, or use choose(condition, a, b)",
                )
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
            unknown = [n for n in node.after if n not in needs]
            if unknown:
                self.checker.where = node.where
                self.checker.say(
                    f"{node.id} is to come after {unknown[0]!r}, which is no node here",
                    expected=names(needs),
                    found=unknown[0],
                    fix=meant(unknown[0], needs),
                )
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
        what = f"the result of {graph.name}"
        fit(graph.result, graph.output, Place("the result", graph.name), checker)
        source = (
            absent(graph.result, self.conditions, ()) if self.conditions and not accepts_none(graph.output) else None
        )
        if source is not None:
            self._say_absent(source, what, f"annotate it as {graph.output} | None, or return choose(condition, a, b)")

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
        others = [n for n, p in ports.items() if n != "phase" and p.default is None]
        phase = ports.get("phase")
        if phase is None or others or misfit("Succeeded", phase.type) is not None:
            found = ", ".join(f"{n}: {p.type}" for n, p in ports.items()) or "no inputs"
            self.checker.say(
                f"{name} cannot be the exit handler of {self.graph.name}",
                expected="an op or workflow with one input, phase: str",
                found=found,
                fix=f"write def {name}(phase: str) -> None",
            )


def _needed(node: Node) -> list[str]:
    exprs = [*node.inputs.values(), *(node.fan.over.values() if node.fan is not None else ())]
    exprs += [e for e in (node.when, node.key, node.executor, node.image) if e is not None]
    used = [leaf.node for e in exprs if not isinstance(e, Const) for leaf in leaves(e) if isinstance(leaf, Output)]
    return [*used, *node.after]


def _known_length(expr: Expr) -> int | None:
    match expr:
        case Const(value=list(items)) | Const(value={"$": "tuple", "v": list(items)}):
            return len(items)
        case Build(kind="list" | "tuple", parts=parts):
            return len(parts)
        case Call(function="range", args=args) if all(isinstance(a, Const) for a in args):
            return len(range(*(a.value for a in args if isinstance(a, Const))))
        case _:
            return None
