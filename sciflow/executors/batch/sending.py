"""Puts a submission together from elements that go together: what is asked of the batch system, and what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sciflow.core.graph import Resources
from sciflow.executors.batch.crews import together, workers_of
from sciflow.executors.batch.load import Load
from sciflow.executors.batch.names import submission_name, task_names
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.supply import Supplier
from sciflow.executors.batch.waiting import Kind
from sciflow.executors.containers.box import Box
from sciflow.executors.request import Element, Surroundings, environment
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
    place: str = ""  # where it is, as people read it


def made(
    terms: Terms,
    kind: Kind,
    elements: Sequence[Element],
    *,
    around: Surroundings,
    supplier: Supplier,
    code: Mapping[str, bytes],
) -> Send:
    """A submission of elements of a kind."""
    resources = grown(kind.need.resources, kind.level, walltime_s=terms.walltime_s)
    env, secrets = environment(kind.need)
    record = _record(terms, kind, elements, resources)
    load = Load(
        supplier=supplier,
        elements=elements,
        around=around,
        env=env,
        gpus=kind.need.resources.gpus,
        walltime_s=resources.walltime_s,
        numbered=terms.numbers_gpus,
    )
    return Send(
        record=record,
        submission=_submission(terms, kind, record, resources, tuple(secrets)),
        load=load,
        code=code,
        secrets={carrier: resolve_secret(secret) for carrier, secret in secrets.items()},
        launch=kind.launch and msgspec.structs.replace(kind.launch, resources=resources),
        environ=tuple(env),
    )


def _record(terms: Terms, kind: Kind, elements: Sequence[Element], resources: Resources) -> BatchRecord:
    return BatchRecord(
        name=submission_name(terms.name),
        executor=terms.name,
        place=terms.place,
        elements=task_names(elements),
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
