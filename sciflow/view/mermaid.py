"""A diagram in Mermaid's language, which GitHub, GitLab, Jupyter and most editors draw."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sciflow.core.graph import WorkflowSpec
from sciflow.view.diagram import Arrow, Box, Group, diagram

SHAPES = {
    "input": ("[/", "/]"),
    "op": ("[", "]"),
    "fan": ("[[", "]]"),
    "suspend": (">", "]"),
    "again": ("(", ")"),
    "result": ("([", "])"),
}


def mermaid(spec: WorkflowSpec) -> str:
    """The text of a flowchart."""
    drawn = diagram(spec)
    lines = ["flowchart TD"]
    for member in drawn.members:
        lines += _member(member, indent=1)
    lines += [_arrow(arrow) for arrow in drawn.arrows]
    return "\n".join(lines) + "\n"


def _member(member: Box | Group, *, indent: int) -> Iterator[str]:
    space = "    " * indent
    match member:
        case Box(id=id_, shape=shape, lines=lines):
            opening, closing = SHAPES[shape]
            yield f"{space}{id_}{opening}{_quoted(lines)}{closing}"
        case Group(id=id_, lines=lines, members=members):
            yield f"{space}subgraph {id_}[{_quoted(lines)}]"
            for inner in members:
                yield from _member(inner, indent=indent + 1)
            yield f"{space}end"


def _arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.dotted else "-->"
    label = f"|{_quoted((arrow.label,))}|" if arrow.label else ""
    return f"    {arrow.source} {line}{label} {arrow.target}"


def _quoted(lines: tuple[str, ...]) -> str:
    """Text that Mermaid takes as it is: quoted, with HTML's spelling of what has a meaning."""
    return '"' + "<br/>".join(escape(line).replace("`", "&#96;").replace("\n", " ") for line in lines) + '"'
