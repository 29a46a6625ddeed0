"""`sciflow graph`: a workflow drawn, of a target or of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sciflow.cli.output import note
from sciflow.cli.reference import open_run, runs_option

if TYPE_CHECKING:
    from sciflow.core.graph import WorkflowSpec


@click.command()
@click.argument("what", metavar="TARGET|RUN", default="last")
@runs_option
@click.option("--svg", is_flag=True, help="Draw an SVG by graphviz, if it is installed.")
@click.option("--dot", is_flag=True, help="Write graphviz's language.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write into this file.")
def graph(what: str, runs: Path | None, svg: bool, dot: bool, output: Path | None) -> None:
    """Draw a workflow, `eos.py:eos`, or that of a run: Mermaid text, or SVG.

    A file name that ends in .svg or .dot chooses the kind.
    """
    spec = _spec(what, runs)
    text = _drawn(spec, suffix=".svg" if svg else ".dot" if dot else output.suffix if output else "")
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, "utf-8")
    note(f"wrote {output}")


def _drawn(spec: WorkflowSpec, *, suffix: str) -> str:
    from sciflow.view import graphviz, mermaid

    match suffix:
        case ".svg":
            return graphviz.svg(spec)
        case ".dot" | ".gv":
            return graphviz.dot(spec)
        case _:
            return mermaid.mermaid(spec)


def _spec(what: str, runs: Path | None) -> WorkflowSpec:
    """A target has a colon or is a Python file; everything else is a run."""
    if ":" in what or what.endswith(".py"):
        from sciflow.author.launch import spec_of
        from sciflow.cli.target import open_target

        return spec_of(open_target(what))
    return open_run(what, runs).graph()
