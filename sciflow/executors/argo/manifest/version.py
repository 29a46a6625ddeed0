"""By what a workflow is told from an earlier one of its name. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from sciflow.core.graph import Function, Graph, OpTemplate, Template, WorkflowSpec

DIGITS = 8


def content_version(spec: WorkflowSpec, code: Iterable[str]) -> str:
    """The same wherever its files lie. `code`: hashes of what it runs."""
    templates = {name: _bare(template) for name, template in spec.templates.items()}
    made_of = [msgspec.structs.replace(spec, templates=templates), sorted(code)]
    return hashlib.sha256(msgspec.json.encode(made_of, order="sorted")).hexdigest()[:DIGITS]


def _bare(template: Template) -> Template:
    match template:
        case Graph(nodes=nodes):
            nodes = tuple(msgspec.structs.replace(node, where="") for node in nodes)
            return msgspec.structs.replace(template, nodes=nodes, where="")
        case OpTemplate(code=Function() as code):
            code = msgspec.structs.replace(code, script=None)
            return msgspec.structs.replace(template, code=code, where="")
        case _:
            return msgspec.structs.replace(template, where="")
