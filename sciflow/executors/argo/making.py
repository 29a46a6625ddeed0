"""Puts the executor of a run on Argo together from its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sciflow.core.graph import Suspend
from sciflow.errors import ConfigError
from sciflow.executors.argo.bucket import Bucket
from sciflow.executors.argo.executor import ArgoExecutor
from sciflow.executors.argo.facts import Facts
from sciflow.executors.argo.follower import Follower, Mission
from sciflow.executors.argo.given import learn_given
from sciflow.executors.argo.layout import OUTCOMES, Layout
from sciflow.executors.argo.manifest import RUN_LABEL, Plan, manifest
from sciflow.executors.argo.naming import workflow_name
from sciflow.executors.argo.outcomes import read_outcomes
from sciflow.executors.argo.patience import BIND_S
from sciflow.executors.argo.reaching import make_server
from sciflow.executors.argo.sending import Sender
from sciflow.executors.argo.shapes import Shapes, bring_files
from sciflow.executors.argo.site import Site
from sciflow.executors.argo.trouble import advice
from sciflow.executors.argo.waiting import Patience
from sciflow.executors.argo.workflows import Workflows
from sciflow.executors.conducted import note_conductor
from sciflow.executors.registry import Errand, Whole
from sciflow.executors.settings import ArgoSettings
from sciflow.storage.settings import S3Settings, parse_storage


def make_argo(
    name: str, settings: ArgoSettings, storages: Mapping[str, Mapping[str, Any]], errand: Errand
) -> ArgoExecutor:
    """The executor of that name, for one run.

    Raises:
        ConfigError: its settings will not do.
        MissingExtra: a package that it needs is not installed.
    """
    whole = errand.whole
    assert whole is not None
    store = bucket_settings(name, settings, storages)
    bucket = Bucket(settings.storage, store)
    server = make_server(settings)
    run = errand.root.name
    layout = layout_of(store, run)
    note_conductor(errand.root, name)
    facts = facts_of(name, settings, errand, whole)
    follower = Follower(
        run,
        server,
        bucket,
        layout,
        here=errand.root,
        supply=_Supply(
            sender=Sender(bucket, layout, errand.root, facts, errand.code),
            server=server,
            whole=whole,
            settings=settings,
            site=site_of(settings, store),
            layout=layout,
        ),
        patience=Patience(
            server,
            workflow_name(run),
            limit_s=settings.start_limit_s,
            advise=lambda said: advice(said, settings, table=f"[executors.{name}]"),
        ),
        least_s=settings.look_least_s,
        most_s=settings.look_most_s,
        mission=Mission(
            begins=whole.begins,
            goes_on=whole.goes_on,
            gates=any(isinstance(template, Suspend) for template in whole.spec.templates.values()),
        ),
    )
    return ArgoExecutor(follower, revives=whole.revives)


def facts_of(name: str, settings: ArgoSettings, errand: Errand, whole: Whole) -> Facts:
    """What the pods of a run must know, but for its files: those are told by who sends them."""
    return Facts(
        started=whole.started,
        setup=whole.setup,
        spec=whole.spec,
        inputs=whole.inputs,
        reuse=whole.reuse,
        executor=name,
        inline_bytes=errand.inline_bytes,
        pods=settings.pods,
        workers=settings.workers,
        bundle=next(iter(errand.code), ""),
        argv=errand.argv,
        main=errand.main,
        host={**errand.host, **settings.settings},
        folders={},
        executable=(),
        code=(),
    )


class _Supply(msgspec.Struct, frozen=True, kw_only=True):
    """See `follower.Supply`."""

    sender: Sender
    server: Workflows
    whole: Whole
    settings: ArgoSettings
    site: Site
    layout: Layout

    def send(self) -> None:
        """See `Supply`."""
        self.sender.send()

    def send_answer(self, path: str, text: bytes) -> None:
        """See `Supply`."""
        self.sender.send_answer(path, text)

    def submit(self, totals: Mapping[str, int]) -> None:
        """See `Supply`."""
        run, whole, settings = self.layout.run, self.whole, self.settings
        delivery = self.sender.send()
        plan = Plan(
            run=run,
            totals=totals,
            pods=self.sender.pods(),
            workers=settings.workers,
            timeout_s=whole.timeout_s,
            parallelism=whole.parallelism,
            locks=whole.locks,
            inputs=whole.inputs,
        )
        made = manifest(whole.spec, plan, layout=self.layout, site=self.site, delivery=delivery)
        if not self.server.create(made) and self.server.label(workflow_name(run), RUN_LABEL) != workflow_name(run):
            raise ConfigError(f"{self.server.url}: another workflow has the name {workflow_name(run)}")


def fetch_from_bucket(
    name: str, settings: ArgoSettings, storages: Mapping[str, Mapping[str, Any]], root: Path, paths: Sequence[str]
) -> Mapping[str, str]:
    """See `registry.fetch_files`."""
    store = bucket_settings(name, settings, storages)
    bucket, layout = Bucket(settings.storage, store), layout_of(store, root.name)
    shapes = Shapes(bucket, layout)
    learn_given(bucket, layout, shapes)
    for key, text in bucket.get_all(bucket.list(layout.part(f"{OUTCOMES}/"))).items():
        shapes.learn_of(bucket.read(key, text, read_outcomes).rest)
    return bring_files(shapes, root, paths, place=f"{bucket!r}: {layout.part('')}")


def recall_workflow(settings: ArgoSettings, root: Path, *, running: bool) -> None:
    """See `registry.recall_run`."""
    server = make_server(settings)
    try:
        status = server.status(workflow_name(root.name), nodes=False)
        if status is not None and not status.ended:
            (server.terminate if running else server.suspend)(workflow_name(root.name))
    finally:
        server.close()


def layout_of(store: S3Settings, run: str) -> Layout:
    """The keys of a run."""
    prefix = store.prefix.strip("/")
    return Layout(f"{prefix}/" if prefix else "", run)


def bucket_settings(name: str, settings: ArgoSettings, storages: Mapping[str, Mapping[str, Any]]) -> S3Settings:
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
