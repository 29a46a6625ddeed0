"""The manifest of a run that nobody submits: to be looked at, and to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciflow.core.graph import WorkflowSpec
from sciflow.executors.argo.making import bucket_settings, layout_of, site_of
from sciflow.executors.argo.manifest import Manifest, Plan, manifest
from sciflow.executors.argo.site import Delivery
from sciflow.executors.settings import ArgoSettings


def rehearse(
    spec: WorkflowSpec,
    name: str,
    settings: ArgoSettings,
    storages: Mapping[str, Mapping[str, Any]],
    *,
    run: str,
    delivery: Delivery,
    timeout_s: float | None = None,
    parallelism: int | None = None,
) -> Manifest:
    """The Workflow of a run of that id, of whose inputs nothing is known; nothing is contacted.

    Raises:
        ConfigError: something of it cannot be had on Argo, or there is no such bucket.
    """
    store = bucket_settings(name, settings, storages)
    plan = Plan(run=run, totals={}, pods=settings.pods, timeout_s=timeout_s, parallelism=parallelism)
    return manifest(spec, plan, layout=layout_of(store, run), site=site_of(settings, store), delivery=delivery)
