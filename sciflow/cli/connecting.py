"""`sciflow connect`: log in at a host once, and keep that connection for all runs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sciflow.errors import HostRefused, HostUnreachable


@click.command()
@click.argument("host", required=False)
@click.option("--list", "lists", is_flag=True, help="List the connections that are kept.")
@click.option("--close", "closes", is_flag=True, help="Close the connection to HOST.")
@click.option(
    "--accept-host-key",
    "accept",
    multiple=True,
    metavar="SHA256:...",
    help="Write the host's key to known_hosts, if it has this fingerprint.",
)
@click.option("--idle-hours", default=24.0, show_default=True, help="Close it when no run has used it for so long.")
@click.option(
    "--config",
    "-F",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of ~/.ssh/config.",
)
def connect(
    *, host: str | None, lists: bool, closes: bool, accept: tuple[str, ...], idle_hours: float, config: Path | None
) -> None:
    """Log in at HOST, and keep the connection for all runs.

    HOST is what you would type after `ssh`. Passwords, passphrases and one-time passwords are asked for here, once;
    they are kept in the memory of a small process of yours, and nowhere else.
    """
    if lists:
        _list()
        return
    if host is None:
        raise click.UsageError("which HOST? (or --list)")
    if closes:
        _close(host, config)
        return
    from sciflow.executors.transports.kept_connection import start
    from sciflow.executors.transports.ssh_config import route

    hops = route(host, config=config)
    kept = start(hops, idle_limit_s=3600 * idle_hours)
    try:
        told = kept.log_in(_ask, accept=accept)
    except HostUnreachable as error:
        fix = f"does `ssh {hops[-1].goal}` work? Is the name right, and this machine on the network (VPN)?"
        raise HostUnreachable(f"{error}\n    fix:      {fix}") from error
    click.echo(f"connected to {told.name}; runs use this until it is idle for {told.idle_limit_s / 3600:g} h")


def _ask(prompt: str, *, secret: bool) -> str:
    """At the terminal; what is secret is not echoed."""
    if not sys.stdin.isatty():
        raise HostRefused(f"the host asks: {prompt.strip()!r}, and here is no terminal to answer at")
    if secret:
        import getpass

        return getpass.getpass(prompt)
    answer: str = click.prompt(prompt, prompt_suffix="", default="", show_default=False)
    return answer


def _list() -> None:
    from sciflow.executors.transports.kept_connection import find_all

    found = find_all()
    if not found:
        click.echo("no connections are kept")
    for _, told in found:
        state = "connected" if told.connected else f"not connected: {told.trouble or 'it broke'}"
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(told.since))
        click.echo(f"{told.alias}  {told.name}  since {since}  idle {told.idle_s:.0f} s  process {told.pid}  {state}")


def _close(host: str, config: Path | None) -> None:
    from sciflow.executors.transports.kept_connection import find
    from sciflow.executors.transports.ssh_config import route

    kept = find(route(host, config=config))
    if kept is None:
        click.echo(f"no connection to {host} is kept")
        return
    click.echo(f"closed the connection to {kept.end().name}")
