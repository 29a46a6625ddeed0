"""A workflow as the Workflow of Argo that its runs would be: for `sciflow graph --format argo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sciflow.cli.main import unknown

if TYPE_CHECKING:
    from sciflow.config import Settings
    from sciflow.core.graph import WorkflowSpec
    from sciflow.executors.settings import ArgoSettings


def manifest_text(spec: WorkflowSpec, *, run: str, on: str | None) -> str:
    """It as YAML, for a run of that id at an executor of type `argo`; nothing is contacted.

    Raises:
        InvalidWorkflow: it cannot be had there.
        ConfigError: the executor's settings will not do.
    """
    from sciflow import config
    from sciflow.executors.argo.place.layout import Delivery
    from sciflow.executors.argo.place.parcels import package_parcel, runner_parcel
    from sciflow.executors.argo.rehearsal import rehearse
    from sciflow.view.yaml import yaml

    settings = config.load()
    name, executor = _executor(on, settings)
    made = rehearse(
        spec,
        name,
        executor,
        settings.storages,
        run=run,
        delivery=Delivery(runner=runner_parcel().name, package=package_parcel().name),
        timeout_s=settings.timeout_s,
        parallelism=settings.parallelism,
        locks=settings.locks,
        executors=settings.executors,
    )
    return yaml(made)


def _executor(on: str | None, settings: Settings) -> tuple[str, ArgoSettings]:
    """The one that is named; else the settings' own, or the only one of its type."""
    from sciflow.executors.settings import ArgoSettings, parse_executor

    fitting = [name for name, table in settings.executors.items() if table.get("type") == "argo"]
    chosen = on or (settings.executor if settings.executor in fitting or len(fitting) != 1 else fitting[0])
    if chosen not in fitting:
        if on is not None:
            raise click.UsageError(unknown("executor of type argo", on, fitting))
        hint = (
            f"name one: --on {' or '.join(fitting)}"
            if fitting
            else 'add an executor with type = "argo" to sciflow.toml'
        )
        raise click.UsageError(f"which executor of type argo? {hint}")
    found = parse_executor(chosen, settings.executors[chosen])
    assert isinstance(found, ArgoSettings)
    return chosen, found
