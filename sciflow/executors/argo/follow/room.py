"""What a pod asks of a node, in words: of one for which there is no room. Pure."""

from __future__ import annotations

from sciflow.core.graph import WorkflowSpec, node_at
from sciflow.view.quantity import count


def demand(spec: WorkflowSpec, path: str) -> str:
    """What the pods of a node ask for; empty if that is nothing, or the node is none of the workflow's own."""
    node = node_at(spec, path)
    if node is None:
        return ""
    wanted = node.resources
    cpus = wanted.cpus * wanted.ranks
    parts = (
        count(cpus, "core") if cpus > 1 else "",
        f"{wanted.memory_mb:,} MB of memory" if wanted.memory_mb else "",
        count(wanted.gpus, "GPU") if wanted.gpus else "",
    )
    return ", ".join(filter(None, parts))
