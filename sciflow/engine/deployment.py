"""Deploys a workflow at an executor that carries out whole runs: others start runs of it, without this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sciflow import config
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.engine.creation import create_run, setup_of
from sciflow.engine.errand import errand_of, whole_of
from sciflow.engine.origin import origin_of
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.script import copied_script
from sciflow.engine.setup import RunOptions, RunSetup
from sciflow.executors.argo import deploying
from sciflow.executors.argo.deploying import Prepared, Wish
from sciflow.executors.argo.manifest.deployed import DEPLOYED_LABEL, Schedule
from sciflow.executors.argo.manifest.workflow import VERSION_LABEL
from sciflow.executors.errand import Errand
from sciflow.executors.registry import conductor_settings

__all__ = ["Deployed", "Found", "Schedule", "Wish", "deploy", "list_deployed", "remove_deployed"]


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that is deployed, or would be."""

    name: str
    version: str
    changed: bool  # something is there that was not there before
    manifests: list[dict[str, Any]]  # what Argo was given

    @property
    def key(self) -> str:
        """The name of this version."""
        return f"{self.name}-{self.version}"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object at Argo's server that was deployed."""

    kind: str
    name: str
    deployed: str  # under which name
    version: str
    created: str
    schedule: str = ""


def deploy(
    spec: WorkflowSpec, args: Mapping[str, Tree], *, options: RunOptions, wish: Wish, dry_run: bool = False
) -> Deployed:
    """Makes the workflow one from which others start runs; of its inputs those in `args` are known.

    Raises:
        InvalidWorkflow: it cannot be had there.
        InvalidInput: an input needs a value now.
        ConfigError: a setting will not do.
        HostError: Argo's server, or the bucket, is not to be reached now.
    """
    settings = config.load()
    name = setup_of(spec, options, settings, detached=True).executor
    argo = conductor_settings(name, settings.executors)
    with _folder(spec, args, options) as folder:
        errand = _errand(folder, settings)
        prepared: Prepared = deploying.prepare(name, argo, settings.storages, errand, wish)
        changed = not dry_run and deploying.deploy(name, argo, settings.storages, errand, prepared)
    made = prepared.deployment
    return Deployed(name=made.name, version=made.version, changed=changed, manifests=list(prepared.manifests))


def list_deployed(executor: str | None = None) -> list[Found]:
    """What is deployed at an executor, the settings' own if none is named; sorted by name, the oldest first."""
    settings = config.load()
    found = deploying.listed(conductor_settings(executor or settings.executor, settings.executors))
    return sorted(map(_found, found), key=lambda one: (one.kind, one.created, one.name))


def remove_deployed(name: str, executor: str | None = None) -> list[str]:
    """Removes what was deployed under a name, or a version and what begins runs of it. What was removed; runs stay."""
    settings = config.load()
    executor = executor or settings.executor
    return list(deploying.remove(executor, conductor_settings(executor, settings.executors), settings.storages, name))


def _found(manifest: Mapping[str, Any]) -> Found:
    metadata, spec = manifest["metadata"], manifest["spec"]
    return Found(
        kind=manifest["kind"],
        name=metadata["name"],
        deployed=metadata["labels"][DEPLOYED_LABEL],
        version=metadata["labels"][VERSION_LABEL],
        created=metadata["creationTimestamp"],
        schedule=" ".join([*spec.get("schedules", ()), spec.get("timezone", "")]).strip(),
    )


@contextmanager
def _folder(spec: WorkflowSpec, args: Mapping[str, Tree], options: RunOptions) -> Iterator[RunFolder]:
    """A run folder, in which all is that a run would be given."""
    with tempfile.TemporaryDirectory(prefix="sciflow-deploy-") as place:
        here = msgspec.structs.replace(options, runs=Path(place), storage="")
        yield create_run(spec, args, here, detached=True)


def _errand(folder: RunFolder, settings: config.Settings) -> Errand:
    origin = origin_of(folder)
    setup = origin.setup
    impersonal = msgspec.Raw(msgspec.json.encode(_impersonal(setup)))
    whole = msgspec.structs.replace(whole_of(origin, settings), setup=impersonal)
    errand = errand_of(origin, whole, root=folder.root, script=copied_script(setup.script, folder), settings=settings)
    argv = [os.path.basename(name) for name in setup.argv[:1]]  # how it was deployed is nobody's argument
    return msgspec.structs.replace(errand, argv=argv)


def _impersonal(setup: RunSetup) -> RunSetup:
    """What does not depend on where it was deployed from, so that the same has the same version."""
    return msgspec.structs.replace(setup, cwd="", argv=(), sys_path=(), script=None, reuse={})
