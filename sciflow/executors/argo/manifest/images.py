"""Images of nodes that depend on inputs of the run: known before it begins, and written into its manifest. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import msgspec

from sciflow.core.expr import Const, Tree
from sciflow.core.graph import Graph, Node, WorkflowSpec
from sciflow.core.known_scope import Known, KnownScope, value_of
from sciflow.executors.argo.manifest.foreseen import defaults_of

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", re.ASCII)


def is_image(name: object) -> bool:
    """Whether it may be the name of an image: it has nothing in it that Argo would read as its own language."""
    return isinstance(name, str) and _IMAGE.fullmatch(name) is not None


def with_images(spec: WorkflowSpec, inputs: Mapping[str, Tree]) -> WorkflowSpec:
    """The same workflow, with the images in it that follow from the inputs of a run.

    Followed are graphs that are called at one place: of another, each call may have an image of its own.
    """
    graphs = {name: graph for name, graph in spec.templates.items() if isinstance(graph, Graph)}
    calls = Counter(node.template for graph in graphs.values() for node in graph.nodes)
    calls.update(graph.on_exit for graph in graphs.values() if graph.on_exit is not None)
    found: dict[str, Graph] = {}
    todo: list[tuple[str, Known]] = [(spec.entry, inputs)] if spec.entry in graphs and not calls[spec.entry] else []
    while todo:
        name, given = todo.pop()
        scope = KnownScope({**defaults_of(graphs[name]), **given})
        found[name] = msgspec.structs.replace(
            graphs[name], nodes=tuple(_with_image(node, scope) for node in graphs[name].nodes)
        )
        inner = [node for node in graphs[name].nodes if node.template in graphs and calls[node.template] == 1]
        todo += [(node.template, _given(node, graphs[node.template], scope)) for node in inner]
    return msgspec.structs.replace(spec, templates={**spec.templates, **found})


def _given(node: Node, graph: Graph, scope: KnownScope) -> Known:
    """What is known of the inputs of the graph that a node runs; a default is none where something else is given."""
    known = {port: tree for port, expr in node.inputs.items() for tree in value_of(expr, scope)}
    return {
        port: tree for port, tree in {**defaults_of(graph), **known}.items() if port not in node.inputs or port in known
    }


def _with_image(node: Node, scope: KnownScope) -> Node:
    known = [] if node.image is None else value_of(node.image, scope)
    return msgspec.structs.replace(node, image=Const(value=known[0])) if known else node
