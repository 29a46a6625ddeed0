"""`sciflow deploy TARGET`, `sciflow deployed`: workflows from which others start runs on Argo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sciflow.cli.launching import OPTIONS, as_json_option, target_group
from sciflow.cli.output import note, show_json

if TYPE_CHECKING:
    from sciflow.cli.target import Opened

_OF_RUNS = frozenset({"executor", "name", "parallelism", "timeout_s"})
DEPLOY_OPTIONS: Sequence[click.Option] = (
    *(option for option in OPTIONS if option.name in _OF_RUNS),
    click.Option(["--cron"], metavar="TIMES", help='Begin runs at these times: "0 6 * * 1" is Mondays at 6.'),
    click.Option(["--timezone"], metavar="ZONE", help="That of --cron, as Europe/Berlin; by default that of Argo."),
    click.Option(["--dry-run"], is_flag=True, default=None, help="Print the manifests; nothing is contacted."),
    as_json_option(),
)


def _deploy(opened: Opened, values: dict[str, Any], chosen: dict[str, Any]) -> int:
    from sciflow.author.arguments import encode_arguments
    from sciflow.author.launch import deployment_wish, run_options
    from sciflow.engine.deployment import deploy as made
    from sciflow.view.yaml import yaml

    if opened.file:
        raise click.UsageError(f"{opened.file} is a manifest of Argo already: argo template create {opened.file}")
    target, spec = opened.verbs, opened.spec
    when = {name: chosen.pop(name, "") for name in ("cron", "timezone")}
    dry_run, as_json = (bool(chosen.pop(name, False)) for name in ("dry_run", "as_json"))
    if when["timezone"] and not when["cron"]:
        raise click.UsageError("--timezone goes with --cron")
    trees = encode_arguments(spec, target, (), values, where="command line", whole=False)
    options = run_options(target, chosen)
    wish = deployment_wish(target, spec, options, **when)
    deployed = made(spec, trees, options=options, wish=wish, dry_run=dry_run)
    if dry_run:
        pinned, *others = deployed.manifests
        shown = [pinned, *(one for one in others if one["kind"] != pinned["kind"])]
        click.echo("---\n".join(map(yaml, shown)), nl=False)
        return 0
    if as_json:
        show_json({"name": deployed.name, "version": deployed.version, "changed": deployed.changed})
        return 0
    click.echo(deployed.key)
    note("it is there now" if deployed.changed else "it was there already, and is as it was")
    place = deployed.manifests[0]["metadata"]["namespace"]
    if when["cron"]:
        zone = f" ({when['timezone']})" if when["timezone"] else ""
        note(f"a run begins at the times {when['cron']}{zone}; when next: argo cron get -n {place} {deployed.name}")
    note(f"start a run with: argo submit -n {place} --from workflowtemplate/{deployed.name}")
    return 0


deploy = target_group(
    "deploy",
    _deploy,
    "Make a workflow one from which others start runs on Argo, and print its version; inputs given here are defaults.",
    options=DEPLOY_OPTIONS,
    whole=False,
)


@click.command()
@click.argument("name", required=False)
@click.option("--on", "executor", metavar="EXECUTOR", help="Where; by default the settings' own executor.")
@click.option("--delete", is_flag=True, help="Remove what is deployed under NAME, or the version NAME. Runs stay.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def deployed(name: str | None, executor: str | None, delete: bool, as_json: bool) -> int:
    """List what is deployed on Argo, or what is under NAME."""
    from sciflow.engine.deployment import list_deployed, remove_deployed

    if delete:
        if name is None:
            raise click.UsageError("--delete needs the NAME of what is to be removed")
        removed = remove_deployed(name, executor)
        for line in removed:
            note(f"removed {line}")
        if not removed:
            note(f"nothing is deployed under {name}; `sciflow deployed` lists what is")
        return 0 if removed else 1
    found = [one for one in list_deployed(executor) if name is None or name in (one.name, one.deployed)]
    if as_json:
        show_json(found)
        return 0
    if not found:
        note("nothing is deployed there" if name is None else f"nothing is deployed under {name}")
    for one in found:
        click.echo(f"{one.name:40}  {one.version}  {one.created}  {one.kind}  {one.schedule}".rstrip())
    return 0
