"""Puts the executor of a run on Argo together from its settings."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sciflow.config import Tables
from sciflow.core.graph import Suspend
from sciflow.errors import ConfigError
from sciflow.executors.argo.executor import ArgoExecutor
from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.follower import Follower
from sciflow.executors.argo.follow.orders import Mission
from sciflow.executors.argo.follow.room import demand
from sciflow.executors.argo.follow.trouble import advice
from sciflow.executors.argo.follow.waiting import WaitingPods
from sciflow.executors.argo.manifest.naming import dns_name, workflow_name
from sciflow.executors.argo.manifest.version import content_version
from sciflow.executors.argo.manifest.workflow import RUN_LABEL
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.sending import Sender
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Registry
from sciflow.executors.argo.submission import Submission, submission_of
from sciflow.executors.conducted import note_conductor
from sciflow.executors.errand import Errand
from sciflow.executors.settings import ArgoSettings


def make_argo(name: str, settings: ArgoSettings, storages: Tables, errand: Errand) -> ArgoExecutor:
    """The executor of that name, for one run.

    Raises:
        ConfigError: its settings will not do.
        MissingExtra: a package that it needs is not installed.
    """
    whole = errand.whole
    assert whole is not None
    submission = submission_of(name, settings, storages, whole)
    bucket = Bucket(settings.storage, submission.store)
    server = make_server(settings)
    run = errand.root.name
    layout = submission.layout(run)
    gates = any(isinstance(template, Suspend) for template in whole.spec.templates.values())
    note_conductor(errand.root, name)
    follower = Follower(
        Followed(server=server, bucket=bucket, layout=layout, here=errand.root),
        supply=_Supply(
            run=run,
            sender=Sender(bucket, layout, errand.root, submission.facts(errand), errand.code),
            server=server,
            submission=submission,
        ),
        patience=WaitingPods(
            server,
            workflow_name(run),
            limit_s=settings.start_limit_s,
            advise=lambda said, path: advice(
                said, settings, table=f"[executors.{name}]", asked=demand(whole.spec, path)
            ),
        ),
        least_s=settings.look_least_s,
        most_s=settings.look_most_s,
        mission=Mission(
            begins=whole.begins,
            fresh=whole.fresh,
            goes_on=whole.goes_on,
            gates=gates,
            opens=gates and workflow_name(run) != dns_name(run),
        ),
    )
    return ArgoExecutor(follower, revives=whole.revives)


class _Supply(msgspec.Struct, frozen=True, kw_only=True):
    """See `orders.Supply`."""

    run: str
    sender: Sender
    server: Registry
    submission: Submission

    def send(self) -> None:
        """See `Supply`."""
        self.sender.send()

    def send_answer(self, path: str, text: bytes) -> None:
        """See `Supply`."""
        self.sender.send_answer(path, text)

    def submit(self, totals: Mapping[str, int]) -> None:
        """See `Supply`."""
        delivery = self.sender.send()
        plan = self.submission.plan(self.run, totals=totals, pods=self.sender.pods())
        version = content_version(self.submission.whole.spec, self.sender.code())
        plan = msgspec.structs.replace(plan, version=version)
        made = self.submission.workflow(plan, delivery)
        if not self.server.create(made) and self.server.annotation(plan.name, RUN_LABEL) != self.run:
            raise ConfigError(f"{self.server.url}: another workflow has the name {plan.name}")
