"""`sciflow config show`: every setting, its value, and where it came from."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from sciflow.cli.output import json_option, show, show_json


@click.group(invoke_without_command=True)
@click.pass_context
def config(ctx: click.Context) -> None:
    r"""Show the settings, and where each comes from.

    \b
    They are read in this order, a later one wins:
      sciflow.toml of the project (in this folder or above it)
      the user's file, ~/.config/sciflow/config.toml
      SCIFLOW_<NAME> of the environment
      options of the command
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_settings, as_json=False)


@config.command("show")
@json_option
def show_settings(as_json: bool) -> None:
    """Every setting with its value and its source."""
    from sciflow.config import load
    from sciflow.setting import SETTINGS

    settings = load()
    values = {name: getattr(settings, name) for name in settings._fields if name in SETTINGS}
    if as_json:
        show_json({name: {"value": value, "from": settings.origins[name]} for name, value in values.items()})
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "from"):
        grid.add_column(heading, overflow="fold", no_wrap=heading == "setting")
    for name, value in values.items():
        origin = settings.origins[name]
        style = "dim" if origin == "default" else ""
        grid.add_row(Text(name, style=style), Text(_text(value), style=style), Text(origin, style=style))
    show(grid)


@config.command("keys")
def show_keys() -> None:
    """Every setting that there is, and what it takes."""
    from sciflow.config import variable
    from sciflow.setting import SETTINGS

    for name, setting in SETTINGS.items():
        click.echo(f"{name}  ({variable(name)})\n    {setting.about}\n    {setting.expected}")


@config.command("files")
def show_files() -> None:
    """The files that are read, and whether they are there."""
    from pathlib import Path

    from sciflow.config import PROJECT_FILE, find_project, user_file

    project = find_project(Path.cwd())
    click.echo(f"project  {project or f'none: no {PROJECT_FILE} in {Path.cwd()} or above'}")
    user = user_file(os.environ)
    missing = "" if user and user.is_file() else "  (not there)"
    click.echo(f"user     {user or 'none'}{missing}")


def _text(value: Any) -> str:
    if value is None:
        return "(not set)"
    return str(value) if not isinstance(value, dict | bool) else json.dumps(value, default=str)
