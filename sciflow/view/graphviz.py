"""A diagram in graphviz's language, and drawn as SVG by its program `dot` where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from sciflow.core.graph import WorkflowSpec
from sciflow.errors import SciflowError
from sciflow.view.diagram import Arrow, Box, Diagram, Group, diagram

SHAPES = {
    "input": 'shape=parallelogram, color="#8c8c8c"',
    "op": 'shape=box, style="rounded,filled", fillcolor="#e8f1fa", color="#3b6ea5"',
    "fan": 'shape=box3d, style=filled, fillcolor="#e8f1fa", color="#3b6ea5"',
    "suspend": 'shape=octagon, style=filled, fillcolor="#fff4df", color="#b26a00"',
    "again": 'shape=box, style="rounded,dashed"',
    "result": 'shape=box, style="rounded,bold"',
}
CLUSTER = 'style=rounded; color="#8c8c8c"; fontname="Helvetica"; fontsize=11'
DRAWING_S = 60  # seconds that `dot` may take


def svg(spec: WorkflowSpec) -> str:
    """The picture as SVG.

    Raises:
        SciflowError: graphviz is not installed, or does not answer.
    """
    program = shutil.which("dot")
    if program is None:
        raise SciflowError(
            "an SVG is drawn by graphviz, whose program `dot` is not on the PATH\n"
            "    fix:      install graphviz (apt, brew or conda), or leave --svg out to get Mermaid text"
        )
    try:
        done = subprocess.run(
            [program, "-Tsvg"], input=dot(spec), capture_output=True, text=True, check=True, timeout=DRAWING_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", None) or str(error)
        raise SciflowError(f"graphviz could not draw the workflow: {told}") from error
    return done.stdout


def dot(spec: WorkflowSpec) -> str:
    """The diagram in the DOT language."""
    drawn = diagram(spec)
    lines = [
        f"digraph {_quoted((spec.name,))} " + "{",
        '  graph [compound=true, fontname="Helvetica", rankdir=TB, nodesep=0.35, ranksep=0.45];',
        '  node [fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, color="#555555"];',
    ]
    for member in drawn.members:
        lines += _member(member, indent=1)
    groups = _groups(drawn)
    lines += [_arrow(arrow, groups) for arrow in drawn.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _member(member: Box | Group, *, indent: int) -> Iterator[str]:
    space = "  " * indent
    match member:
        case Box(id=id_, shape=shape, lines=lines):
            yield f"{space}{id_} [label={_quoted(lines)}, {SHAPES[shape]}];"
        case Group(id=id_, lines=lines, members=members):
            yield f"{space}subgraph cluster_{id_} " + "{"
            yield f"{space}  label={_quoted(lines)}; {CLUSTER};"
            yield f"{space}  {id_} [shape=point, style=invis, width=0];"
            for inner in members:
                yield from _member(inner, indent=indent + 1)
            yield space + "}"


def _groups(drawn: Diagram) -> set[str]:
    found: set[str] = set()
    waiting = list(drawn.members)
    while waiting:
        match waiting.pop():
            case Group(id=id_, members=members):
                found.add(id_)
                waiting += members
            case Box():
                pass
    return found


def _arrow(arrow: Arrow, groups: set[str]) -> str:
    """An arrow from or to a group ends at its border: that of the point in it that nobody sees."""
    facts = [f"label={_quoted((arrow.label,))}"] if arrow.label else []
    facts += ["style=dashed"] if arrow.dotted else []
    facts += [f"ltail=cluster_{arrow.source}"] if arrow.source in groups else []
    facts += [f"lhead=cluster_{arrow.target}"] if arrow.target in groups else []
    return f"  {arrow.source} -> {arrow.target}" + (f" [{', '.join(facts)}];" if facts else ";")


def _quoted(lines: tuple[str, ...]) -> str:
    """Text in DOT's quotes, with DOT's sign for the end of a line."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
