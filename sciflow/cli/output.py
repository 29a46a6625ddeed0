"""Where commands print: results and what was asked for to stdout, everything else to stderr.

Colours are rich's: none when the stream is no terminal or `NO_COLOR` is set.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from sciflow.core.records import Phase

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPED_WIDTH = 200  # columns of a table that goes into a pipe or a file
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def stdout() -> Console:
    """A console on standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def show(thing: RenderableType) -> None:
    """Print something of rich's; into a pipe without the blanks at the ends of lines."""
    console = stdout()
    if console.is_terminal:
        console.print(thing, soft_wrap=isinstance(thing, str))
        return
    with console.capture() as captured:
        console.print(thing, soft_wrap=isinstance(thing, str))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def show_json(value: Any) -> None:
    """Print JSON, indented; paths as text, records as objects."""
    import msgspec

    text = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(text, indent=2).decode())


def note(text: str) -> None:
    """Tell the person, not the program that reads our output."""
    click.echo(text, err=True)


def code_of(phase: Phase) -> int:
    """The exit code for a run that stands in `phase`."""
    match phase:
        case Phase.SUCCEEDED | Phase.SKIPPED:
            return 0
        case Phase.FAILED | Phase.ERROR | Phase.OMITTED:
            return 1
        case Phase.PENDING | Phase.RUNNING | Phase.SUSPENDED:
            return 130
