"""Nodes of a run on Argo whose tasks a batch system runs: which they are, and at which executor. Pure.

All tasks of such a node are given to the batch system by one pod, so that a fan is one array job there, too.
"""

from __future__ import annotations

from collections.abc import Container

from sciflow.config import Tables
from sciflow.core.expr import Const
from sciflow.core.graph import Graph, Node, WorkflowSpec


def dispatcher_of(node: Node, dispatchers: Container[str]) -> str:
    """The executor to which a pod gives the tasks of a node; "" if it runs them itself."""
    match node.executor:
        case Const(value=str() as name) if name in dispatchers:
            return name
        case _:
            return ""


def dispatchers_of(spec: WorkflowSpec, executors: Tables) -> Tables:
    """Those that the nodes of a workflow name."""
    batch = {name: table for name, table in executors.items() if table.get("type") == "batch"}
    graphs = (template for template in spec.templates.values() if isinstance(template, Graph))
    named = {dispatcher_of(node, batch) for graph in graphs for node in graph.nodes}
    return {name: batch[name] for name in sorted(named) if name}
