"""`sciflow graph`: a workflow drawn, of a target or of a run; or as the manifest that Argo would be given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sciflow.cli.output import note
from sciflow.cli.reference import open_run, runs_option

if TYPE_CHECKING:
    from sciflow.core.graph import WorkflowSpec

SUFFIXES: Mapping[str, str] = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".yaml": "argo", ".yml": "argo"}


@click.command()
@click.argument("what", metavar="TARGET|RUN", default="last")
@runs_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mermaid", "svg", "dot", "argo"]),
    help="Mermaid's text, an SVG by graphviz, graphviz's language, or the manifest for Argo.",
)
@click.option("--svg", "kind", flag_value="svg", help="The same as --format svg.")
@click.option("--dot", "kind", flag_value="dot", help="The same as --format dot.")
@click.option("--on", metavar="NAME", help="With --format argo: the executor whose settings the manifest is made by.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write into this file.")
def graph(what: str, runs: Path | None, kind: str | None, on: str | None, output: Path | None) -> None:
    """Draw a workflow, `eos.py:eos`, or that of a run: Mermaid text, SVG, or the manifest that Argo would be given.

    A file name that ends in .svg, .dot or .yaml chooses the kind. Nothing is submitted, and no server asked.
    """
    kind = kind or (SUFFIXES.get(output.suffix, "mermaid") if output else "mermaid")
    if on is not None and kind != "argo":
        raise click.UsageError("--on goes with --format argo")
    spec, run = _spec(what, runs, kind)
    text = _drawn(spec, kind, run=run, on=on)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, "utf-8")
    note(f"wrote {output}")


def _drawn(spec: WorkflowSpec, kind: str, *, run: str, on: str | None) -> str:
    from sciflow.cli.manifest import manifest_text
    from sciflow.view import graphviz, mermaid

    match kind:
        case "svg":
            return graphviz.svg(spec)
        case "dot":
            return graphviz.dot(spec)
        case "argo":
            return manifest_text(spec, run=run, on=on)
        case _:
            return mermaid.mermaid(spec)


def _spec(what: str, runs: Path | None, kind: str) -> tuple[WorkflowSpec, str]:
    """The workflow, and an id of a run of it."""
    from sciflow.cli.target import is_target, open_workflow

    if is_target(what):
        opened = open_workflow(what)
        if opened.file and kind == "argo":
            raise click.UsageError(f"{opened.file} is a manifest of Argo already")
        return opened.spec, opened.spec.name
    run = open_run(what, runs)
    return run.graph(), run.id
