"""A workflow as a diagram: boxes, groups and arrows, which Mermaid and graphviz then spell in their ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sciflow.core.expr import Expr, Input, Output, leaves
from sciflow.core.graph import Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.spelling import spelled

DEEPEST = 8  # groups inside groups; a workflow that calls itself is drawn once

Shape = Literal["input", "op", "fan", "suspend", "again", "result"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One thing in the diagram; `lines` is what is written in it."""

    id: str
    shape: Shape
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """A sub-workflow, drawn around its own boxes."""

    id: str
    lines: tuple[str, ...]
    members: tuple[Box | Group, ...]


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """From one box or group to another; dotted where no data flows."""

    source: str
    target: str
    label: str = ""
    dotted: bool = False


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """All of it."""

    name: str
    members: tuple[Box | Group, ...]
    arrows: tuple[Arrow, ...]


def diagram(spec: WorkflowSpec) -> Diagram:
    """The diagram of a workflow; a graph that calls itself stands in itself as one box that says so."""
    entry = spec.templates[spec.entry]
    if not isinstance(entry, Graph):
        return Diagram(name=spec.name, members=(Box(id="n_" + spec.entry, shape="op", lines=(spec.entry,)),), arrows=())
    drawing = _Drawing(spec=spec)
    inputs = tuple(
        Box(id=f"in_{port.name}", shape="input", lines=(f"{port.name}: {port.type}",)) for port in entry.inputs
    )
    sources = {port.name: f"in_{port.name}" for port in entry.inputs}
    members = tuple(drawing.members(entry, prefix="n_", sources=sources, inside=(spec.entry,)))
    result = Box(id="result", shape="result", lines=(f"result: {entry.output}",))
    drawing.flow(entry.result, target="result", prefix="n_", sources=sources, label="")
    return Diagram(name=spec.name, members=(*inputs, *members, result), arrows=tuple(drawing.arrows))


class _Drawing:
    """Collects arrows while the graphs are walked through."""

    def __init__(self, *, spec: WorkflowSpec) -> None:
        self.spec = spec
        self.arrows: dict[Arrow, None] = {}

    def members(
        self, graph: Graph, *, prefix: str, sources: dict[str, str], inside: tuple[str, ...]
    ) -> Iterator[Box | Group]:
        for node in graph.nodes:
            yield self._member(node, id_=_id(prefix, node.id), inside=inside)
            for label, expr in _bindings(node):
                self.flow(expr, target=_id(prefix, node.id), prefix=prefix, sources=sources, label=label)
            if node.when is not None:
                condition = f"when {spelled(node.when)}"
                self.flow(
                    node.when, target=_id(prefix, node.id), prefix=prefix, sources=sources, label=condition, dotted=True
                )
            for other in node.after:
                self._add(Arrow(source=_id(prefix, other), target=_id(prefix, node.id), label="after", dotted=True))

    def flow(
        self, expr: Expr, *, target: str, prefix: str, sources: dict[str, str], label: str, dotted: bool = False
    ) -> None:
        """Arrows from all that `expr` rests on."""
        for leaf in leaves(expr):
            match leaf:
                case Input(port=port) if port in sources:
                    self._add(Arrow(source=sources[port], target=target, label=label, dotted=dotted))
                case Output(node=node):
                    self._add(Arrow(source=_id(prefix, node), target=target, label=label, dotted=dotted))
                case _:
                    pass

    def _add(self, arrow: Arrow) -> None:
        self.arrows[arrow] = None

    def _member(self, node: Node, *, id_: str, inside: tuple[str, ...]) -> Box | Group:
        lines = tuple(_lines(node))
        match self.spec.templates.get(node.template):
            case Graph() if node.template in inside or len(inside) >= DEEPEST:
                return Box(id=id_, shape="again", lines=(*lines, "once more"))
            case Graph() as graph:
                inner = self.members(graph, prefix=f"{id_}_", sources={}, inside=(*inside, node.template))
                return Group(id=id_, lines=lines, members=tuple(inner))
            case Suspend(message=message):
                return Box(id=id_, shape="suspend", lines=(*lines, message or "waits to be resumed"))
            case OpTemplate() | None:
                return Box(id=id_, shape="fan" if node.fan else "op", lines=lines)


def _id(prefix: str, node: str) -> str:
    return prefix + node.replace("-", "_")


def _lines(node: Node) -> Iterable[str]:
    yield node.id if node.template in (node.id, node.id.rpartition("-")[0]) else f"{node.id}: {node.template}"
    if node.fan:
        between = " × " if node.fan.mode == "product" else ", "
        yield "for each of " + between.join(map(_fan_source, node.fan.over.values()))


def _fan_source(expr: Expr) -> str:
    text = spelled(expr)
    return text if len(text) <= 24 else text[:23] + "…"


def _bindings(node: Node) -> Iterator[tuple[str, Expr]]:
    """What flows into a node, with the port's name as label where it tells more than the source does."""
    over = node.fan.over if node.fan else {}
    for port, expr in (node.inputs | over).items():
        yield ("" if isinstance(expr, Input) and expr.port == port else port), expr
