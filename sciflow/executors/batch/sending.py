"""Puts a submission together from elements that go together: what is asked of the batch system, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.batch.crews import together, workers_of
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.request import Element, Payload, Surroundings, payload, submission_name
from sciflow.executors.batch.supply import Supply
from sciflow.executors.batch.waiting import Kind
from sciflow.executors.containers.box import Box
from sciflow.executors.containers.launch import seen_inside
from sciflow.executors.secrets import resolve_secret
from sciflow.executors.systems.system import Crew, Site, Submission


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor asks of every submission."""

    name: str
    site: Site
    elements: int  # jobs at most, in the queue at once
    throttle: int | None = None  # jobs of a submission that run at once
    workers: int = 1  # tasks that a job runs at once
    walltime_s: float | None = None  # of a job whose op names none
    numbers_gpus: bool = False  # which GPUs a task has is said here, not by a batch system
    box: Box | None = None  # how containers are run


def made(
    terms: Terms,
    kind: Kind,
    elements: Sequence[Element],
    *,
    around: Surroundings,
    supply: Supply,
    code: Mapping[str, bytes],
) -> Send:
    """A submission of elements of a kind, with jobs as the host is to have them."""
    resources = grown(kind.need.resources, kind.level, walltime_s=terms.walltime_s)
    content = payload(
        submission_name(terms.name),
        elements if kind.launch is None else seen_inside(kind.launch, elements),
        around=around,
        need=kind.need,
        walltime_s=resources.walltime_s,
        numbered=terms.numbers_gpus,
    )
    record = _record(terms, kind, elements, content, resources)
    return Send(
        record=record,
        submission=_submission(terms, kind, record, resources, tuple(content.secrets)),
        supply=supply,
        code=code,
        index=content.index,
        requests=content.requests,
        secrets={carrier: resolve_secret(secret) for carrier, secret in content.secrets.items()},
        launch=kind.launch and msgspec.structs.replace(kind.launch, resources=resources),
        environ=content.environ,
    )


def _record(
    terms: Terms, kind: Kind, elements: Sequence[Element], content: Payload, resources: Resources
) -> BatchRecord:
    return BatchRecord(
        name=str(content.index["name"]),
        executor=terms.name,
        elements=content.names,
        counted=kind.need.resources,
        gpus=tuple(element.gpus for element in elements),
        memory_mb=resources.memory_mb,
        walltime_s=resources.walltime_s,
        grows=grows(resources),
        workers=min(workers_of(resources, terms.workers, kind.at_once), len(elements)),
    )


def _submission(
    terms: Terms, kind: Kind, record: BatchRecord, resources: Resources, secrets: tuple[str, ...]
) -> Submission:
    workers, elements = record.workers, len(record.elements)
    return Submission(
        name=record.name,
        folder="",
        elements=-(-elements // workers),
        throttle=_least(terms.throttle, kind.at_once and kind.at_once // workers),
        resources=together(resources, workers),
        walltime_s=resources.walltime_s,
        site=terms.site,
        command=(),
        crew=Crew(workers=workers, elements=elements) if workers > 1 else None,
        secrets=secrets,
    )


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def grows(resources: Resources) -> bool:
    """Whether another attempt asks for more."""
    return resources.memory_growth > 1 or resources.walltime_growth > 1


def grown(resources: Resources, attempt: int, *, walltime_s: float | None) -> Resources:
    """What an attempt asks for; `walltime_s` is asked for where the op names none."""
    asked_s = resources.walltime_s or walltime_s
    return msgspec.structs.replace(
        resources,
        memory_mb=round(resources.memory_mb * resources.memory_growth ** (attempt - 1)),
        walltime_s=None if asked_s is None else asked_s * resources.walltime_growth ** (attempt - 1),
    )
