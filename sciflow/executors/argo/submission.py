"""What a workflow becomes at Argo: of a run, of a deployment, of a trial, and of one that is only looked at."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import msgspec

from sciflow.config import Tables
from sciflow.errors import ConfigError
from sciflow.executors.argo.manifest import Manifest
from sciflow.executors.argo.manifest.images import with_images
from sciflow.executors.argo.manifest.pod_patch import BIND_S
from sciflow.executors.argo.manifest.site import Site
from sciflow.executors.argo.manifest.workflow import Plan, manifest
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.argo.place.layout import Delivery, Layout
from sciflow.executors.errand import Errand, Whole
from sciflow.executors.settings import ArgoSettings
from sciflow.storage.settings import S3Settings, parse_storage


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow becomes at one executor."""

    name: str  # the executor's
    settings: ArgoSettings
    store: S3Settings
    whole: Whole

    @property
    def site(self) -> Site:
        """What all pods have in common."""
        return site_of(self.settings, self.store)

    def layout(self, run: str) -> Layout:
        """The keys of a run."""
        return layout_of(self.store, run)

    def facts(self, errand: Errand) -> Facts:
        """What the pods of a run must know, but for its files: those are told by who sends them."""
        whole, settings = self.whole, self.settings
        return Facts(
            started=whole.started,
            setup=whole.setup,
            spec=whole.spec,
            inputs=whole.inputs,
            reuse=whole.reuse,
            executor=self.name,
            inline_bytes=errand.inline_bytes,
            pods=settings.pods,
            workers=settings.workers,
            bundle=next(iter(errand.code), ""),
            argv=errand.argv,
            main=errand.main,
            host=settings.settings,  # where things lie on this machine is nothing to a pod
            folders={},
            executable=(),
            code=(),
            dispatchers=whole.dispatchers,
            start_limit_s=settings.start_limit_s,
        )

    def plan(self, run: str, *, totals: Mapping[str, int] = MappingProxyType({}), pods: int | None = None) -> Plan:
        """What is known of a run before it begins; `pods`: of a fan, if the run has begun with another number."""
        whole, settings = self.whole, self.settings
        return Plan(
            run=run,
            totals=totals,
            pods=settings.pods if pods is None else pods,
            workers=settings.workers,
            timeout_s=whole.timeout_s,
            parallelism=whole.parallelism,
            locks=whole.locks,
            inputs=whole.inputs,
            sciflow=own_version(),
            dispatchers={name: str(table.get("argo_secret", "")) for name, table in whole.dispatchers.items()},
        )

    def workflow(self, plan: Plan, delivery: Delivery) -> Manifest:
        """The Workflow of a run.

        Raises:
            ConfigError: something of it cannot be had on Argo.
        """
        spec = with_images(self.whole.spec, self.whole.inputs)
        return manifest(spec, plan, layout=self.layout(plan.run), site=self.site, delivery=delivery)


def submission_of(name: str, settings: ArgoSettings, storages: Tables, whole: Whole) -> Submission:
    """What a workflow becomes at the executor of that name.

    Raises:
        ConfigError: there is no such bucket.
    """
    return Submission(name=name, settings=settings, store=bucket_settings(name, settings, storages), whole=whole)


def own_version() -> str:
    """The version of sciflow; nothing where it is used without being installed."""
    try:
        return version("sciflow-hpc")
    except PackageNotFoundError:
        return ""


def layout_of(store: S3Settings, run: str) -> Layout:
    """The keys of a run."""
    prefix = store.prefix.strip("/")
    return Layout(f"{prefix}/" if prefix else "", run)


def bucket_settings(name: str, settings: ArgoSettings, storages: Tables) -> S3Settings:
    """The bucket of an executor, one of the settings' storages.

    Raises:
        ConfigError: there is no such storage, or it is no bucket.
    """
    table = storages.get(settings.storage)
    if table is None or table.get("type") != "s3":
        raise ConfigError(
            f"[executors.{name}] storage: expected the name of a bucket in [storages], found {settings.storage!r}\n"
            f'    fix:      add [storages.{settings.storage}] with type = "s3": the bucket of Argo\'s artifacts'
        )
    store = parse_storage(settings.storage, table)
    assert isinstance(store, S3Settings)
    return store


def site_of(settings: ArgoSettings, store: S3Settings) -> Site:
    """What all pods have in common."""
    shared = {name: getattr(settings, name) for name in Site.__struct_fields__ if name not in ("store", "user")}
    inside = {
        "endpoint": settings.endpoint_inside or store.endpoint,
        "bucket": store.bucket,
        "region": store.region,
        "patience_s": max(store.patience_s, BIND_S),
    }
    user = None if settings.user == "namespace" else settings.user
    return Site(**shared, user=user, store=inside)
