"""The manifest of a run that nobody submits: to be looked at, and to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sciflow.config import Tables
from sciflow.core.graph import WorkflowSpec
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.place.layout import Delivery
from sciflow.executors.argo.submission import submission_of
from sciflow.executors.dispatched import dispatchers_of
from sciflow.executors.errand import Whole
from sciflow.executors.settings import ArgoSettings


def rehearse(
    spec: WorkflowSpec,
    name: str,
    settings: ArgoSettings,
    storages: Tables,
    *,
    run: str,
    delivery: Delivery,
    timeout_s: float | None = None,
    parallelism: int | None = None,
    locks: Mapping[str, int] = MappingProxyType({}),
    executors: Tables = MappingProxyType({}),
) -> Manifest:
    """The Workflow of a run of that id, of whose inputs nothing is known; nothing is contacted.

    `executors`: all there are, by their settings; to those of batch systems pods may give tasks.

    Raises:
        ConfigError: something of it cannot be had on Argo, or there is no such bucket.
    """
    whole = Whole(
        spec=spec,
        inputs={},
        reuse={},
        timeout_s=timeout_s,
        parallelism=parallelism,
        locks=locks,
        setup=msgspec.Raw(b"{}"),
        dispatchers=dispatchers_of(spec, executors),
    )
    submission = submission_of(name, settings, storages, whole)
    return submission.workflow(submission.plan(run), delivery)
