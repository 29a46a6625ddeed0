"""Where the programs of a manifest run: in containers, or on this machine itself where the user says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sciflow.cli.target import Opened
    from sciflow.core.graph import WorkflowSpec


def placed(opened: Opened, executor: str | None) -> WorkflowSpec:
    """The workflow for the executor that was named, or for that of the settings.

    Raises:
        click.UsageError: it cannot run there.
        InvalidWorkflow: it cannot run without containers.
    """
    from sciflow import config
    from sciflow.author.argo_file.reading import read_manifest
    from sciflow.executors.registry import LOCAL, conducts

    settings = config.load()
    chosen = executor or settings.executor
    if conducts(chosen, settings.executors):
        raise click.UsageError(f"{opened.file} is a manifest of Argo already: argo submit {opened.file}")
    if chosen != LOCAL and (chosen not in settings.executors or _has_containers(chosen, settings.executors[chosen])):
        return opened.spec
    if executor is None:
        raise click.UsageError(
            f"the programs of {opened.file} run in containers, and the executor {chosen} has none\n"
            'name one that has: --on NAME, with type = "container" in [executors.NAME] of sciflow.toml\n'
            "or run the programs on this machine itself: --on local"
        )
    return read_manifest(opened.file, opened.name, direct=True).spec


def _has_containers(name: str, table: Mapping[str, object]) -> bool:
    from sciflow.executors.settings import BatchSettings, parse_executor

    settings = parse_executor(name, table)
    return isinstance(settings, BatchSettings) and settings.box is not None
