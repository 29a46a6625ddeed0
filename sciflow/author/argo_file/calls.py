"""A step or task as a node: what its template is given, once or per element of a list."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.author.argo_file.interface import Interface, global_port, named
from sciflow.author.argo_file.items import Items
from sciflow.author.argo_file.rewriting import rewritten
from sciflow.author.argo_file.scope import ITEM, Scope
from sciflow.author.argo_file.source import At
from sciflow.core.expr import Attr, Build, Call, Const, Expr, Input, Item, Output, leaves
from sciflow.core.graph import Fan, Graph, Node, Policy, Resources
from sciflow.core.ports import ANY, Port

ELEMENT = "item"


class Callee(msgspec.Struct, frozen=True, kw_only=True):
    """A template as its callers see it; `image` and the defaults of its inputs are over its own inputs."""

    name: str
    interface: Interface
    policy: Policy = Policy()
    resources: Resources = Resources()
    image: Expr | None = None
    executor: Expr | None = None
    takes_inputs: bool = True  # not one that waits to be resumed


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is to be made; the expressions may speak of the item if there are `items`."""

    id: str
    callee: Callee
    inputs: dict[str, Expr]
    after: tuple[str, ...]
    when: Expr | None
    items: Items | None
    tolerant: bool
    parallelism: int | None
    where: str


def arguments_of(task: At, callee: Callee, scope: Scope) -> dict[str, Expr]:
    """What the template's inputs get, by port."""
    if not callee.takes_inputs:
        return {}
    interface = callee.interface
    shared = {name: expr for name, expr in scope.known.items() if name.startswith("workflow.")}
    given = named(task.list("arguments", "parameters"))
    found: dict[str, Expr] = {}
    for name, one in given.items():
        if name not in interface.parameters:
            one.note(f"is no input of {callee.name}, and is left aside")
    for name, wanted in interface.parameters.items():
        at = given[name].get("value") if name in given else wanted.at.get("value") or wanted.at.get("default")
        if at is None:
            _missing(task, callee, "parameter", name)
            continue
        found[wanted.port] = (scope if name in given else Scope(shared)).text(at)
    found.update(_artifacts(task, callee, scope))
    for name in interface.needs:
        expr = scope.known.get(f"workflow.{name}")
        if expr is None:
            task.named("parameter of the workflow", dict(scope.known), f"workflow.{name}")
        else:
            found[global_port(name)] = expr
    return found


def _missing(task: At, callee: Callee, what: str, name: str) -> None:
    task.say(
        f"{callee.name} is not given its input {what} {name}",
        expected=f"arguments: {{{what}s: [{{name: {name}, ...}}]}}",
        found="none, and no default",
        fix="give it here, or a default in the template",
    )


def _artifacts(task: At, callee: Callee, scope: Scope) -> dict[str, Expr]:
    given = named(task.list("arguments", "artifacts"))
    found: dict[str, Expr] = {}
    for name, wanted in callee.interface.artifacts.items():
        at = given.get(name)
        content = None if at is None else at.get("raw", "data")
        if content is not None:
            found[wanted.port] = scope.text(content)
        elif at is not None and at.get("from") is not None:
            found[wanted.port] = scope.text(at.get("from"))
        elif wanted.at.text("optional") == "true":
            found[wanted.port] = Const(value=None)
        else:
            _missing(task, callee, "artifact", name)
    return found


def node_of(step: Step, graphs: dict[str, Graph]) -> Node:
    """The node; a graph that it needs around its template is added to `graphs`."""
    items = step.items
    if items is None and not step.tolerant:
        return _plain(step, step.inputs, None)
    if items is None:
        nothing: Expr = Const(value=None)
        items = Items(Const(value=[None]), (nothing,))
    columns = {port: _column(expr, items) for port, expr in step.inputs.items() if speaks_of_item(expr)}
    if not columns and step.items is None:
        columns = {port: Build(kind="list", parts=(expr,)) for port, expr in list(step.inputs.items())[:1]}
    image = step.callee.image
    moved = image is not None and any(isinstance(leaf, Input) and leaf.port in columns for leaf in leaves(image))
    if columns and None not in columns.values() and not moved and not _speaks(step.when):
        over = {port: expr for port, expr in columns.items() if expr is not None}
        return _plain(step, {p: e for p, e in step.inputs.items() if p not in over}, _fan(step, over))
    return _wrapped(step, items, graphs)


def _fan(step: Step, over: dict[str, Expr]) -> Fan:
    return Fan(over=over, parallelism=step.parallelism, min_success=0 if step.tolerant else None)


def _plain(step: Step, inputs: dict[str, Expr], fan: Fan | None) -> Node:
    callee = step.callee
    image = callee.image and rewritten(callee.image, lambda e: inputs.get(e.port) if isinstance(e, Input) else None)
    return Node(
        id=step.id,
        template=callee.name,
        inputs=inputs,
        after=step.after,
        when=step.when,
        fan=fan,
        policy=callee.policy,
        resources=callee.resources,
        executor=callee.executor,
        image=image,
        where=step.where,
    )


def speaks_of_item(expr: Expr) -> bool:
    """Whether it is another one for every slice."""
    return any(isinstance(leaf, Item) for leaf in leaves(expr))


def _speaks(expr: Expr | None) -> bool:
    return expr is not None and speaks_of_item(expr)


def _column(expr: Expr, items: Items) -> Expr | None:
    """The list of what all slices get, if it can be said without a graph around them."""
    match expr:
        case _ if items.elements is not None:
            made = [rewritten(expr, lambda e, to=one: to if e == ITEM else None) for one in items.elements]  # type: ignore[misc]
            if all(isinstance(one, Const) for one in made):
                return Const(value=[one.value for one in made if isinstance(one, Const)])
            return Build(kind="list", parts=tuple(made))
        case Call(function="plain", args=(Item(),)):
            return Call(function="plains", args=(items.whole,))
        case Call(function="plain", args=(Attr(of=Item(), name=name),)):
            picked = Call(function="pick", args=(items.whole, Const(value=name)))
            return Call(function="plains", args=(picked,))
        case _:
            return None


def _wrapped(step: Step, items: Items, graphs: dict[str, Graph]) -> Node:
    """A fan over a graph of one node, in which the item is an input and texts are put together."""
    outer: dict[str, Expr] = {}

    def moved(expr: Expr) -> Expr | None:
        if expr == ITEM:
            return Input(port=ELEMENT)
        if isinstance(expr, Const) or speaks_of_item(expr):
            return None
        port = next((port for port, known in outer.items() if known == expr), f"given_{len(outer)}")
        outer[port] = expr
        return Input(port=port)

    inside = msgspec.structs.replace(
        step,
        id=step.callee.name,
        inputs={port: rewritten(expr, moved) for port, expr in step.inputs.items()},
        when=rewritten(step.when, moved) if _speaks(step.when) and step.when is not None else None,
        after=(),
    )
    node = _plain(inside, inside.inputs, None)
    name = _name(f"{step.callee.name}_each", graphs)
    ports = tuple(Port(name=port, type=ANY) for port in (ELEMENT, *outer))
    graphs[name] = Graph(
        name=name, inputs=ports, nodes=(node,), result=Output(node=node.id), output=ANY, where=step.where
    )
    around = Callee(name=name, interface=step.callee.interface)
    outside = msgspec.structs.replace(step, callee=around, when=None if _speaks(step.when) else step.when)
    return _plain(outside, outer, _fan(step, {ELEMENT: items.whole}))


def _name(name: str, graphs: Mapping[str, Graph]) -> str:
    count, made = 1, name
    while made in graphs:
        count += 1
        made = f"{name}_{count}"
    return made
