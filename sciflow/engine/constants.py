"""Replaces the constants of a workflow: files named in it are taken in, long values are folded."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sciflow.core.expr import Attr, Build, Call, Const, Element, Expr, Text, Tree
from sciflow.core.graph import Graph, Node, WorkflowSpec, encode_spec

LONG = 4096  # a spec without files and shorter than this has nothing to replace

REFERENCES = (b'"$":"artifact"', b'"$":"value"')

Change = Callable[[Tree], Tree]


def map_constants(spec: WorkflowSpec, change: Change) -> WorkflowSpec:
    """The workflow with every constant changed."""
    text = encode_spec(spec)
    if len(text) < LONG and not any(mark in text for mark in REFERENCES):
        return spec
    templates = {
        name: msgspec.structs.replace(t, nodes=tuple(_node(n, change) for n in t.nodes), result=_expr(t.result, change))
        if isinstance(t, Graph)
        else t
        for name, t in spec.templates.items()
    }
    return msgspec.structs.replace(spec, templates=templates)


def _node(node: Node, change: Change) -> Node:
    fan = node.fan
    if fan is not None:
        fan = msgspec.structs.replace(fan, over={port: _expr(e, change) for port, e in fan.over.items()})
    inputs = {port: _expr(e, change) for port, e in node.inputs.items()}
    when = None if node.when is None else _expr(node.when, change)
    return msgspec.structs.replace(node, inputs=inputs, fan=fan, when=when)


def _expr(expr: Expr, change: Change) -> Expr:
    match expr:
        case Const(value=value):
            return Const(value=change(value)) if isinstance(value, dict | list | str) else expr
        case Attr(of=of, name=name):
            return Attr(of=_expr(of, change), name=name)
        case Element(of=of, index=index):
            return Element(of=_expr(of, change), index=_expr(index, change))
        case Call(function=function, args=args):
            return Call(function=function, args=tuple(_expr(a, change) for a in args))
        case Text(parts=parts) | Build(parts=parts):
            changed = tuple(part if isinstance(part, str) else _expr(part, change) for part in parts)
            return msgspec.structs.replace(expr, parts=changed)
        case _:
            return expr
