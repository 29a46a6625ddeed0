"""Runs that Argo has, whoever has begun them: a list of them, and one as the bucket has it."""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.config import Tables
from sciflow.core.progress import RunElsewhere
from sciflow.core.records import Phase
from sciflow.errors import ConfigError, RunDamaged, RunNotFound
from sciflow.executors.argo.manifest.naming import dns_name, workflow_name
from sciflow.executors.argo.manifest.workflow import NAME_LABEL, RUN_LABEL
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.argo.place.given import bring_given, read_facts
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.server.objects import KeptWorkflow
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Registry
from sciflow.executors.argo.submission import bucket_settings, layout_of
from sciflow.executors.found import FoundRun
from sciflow.executors.settings import ArgoSettings

CREATOR = "workflows.argoproj.io/creator"
_WHO = (f"{CREATOR}-preferred-username", f"{CREATOR}-email", CREATOR)  # labels, the best first
_PHASES = {"": Phase.PENDING, "Pending": Phase.PENDING, "Running": Phase.RUNNING, "Succeeded": Phase.SUCCEEDED}


def runs_at_argo(settings: ArgoSettings) -> list[RunElsewhere]:
    """The runs in the executor's namespace, the newest first; Argo itself has those first that are at work.

    Raises:
        HostError: Argo's server gives no answer.
    """
    server = make_server(settings)
    try:
        found = [_run(item) for page in server.pages(NAME_LABEL) for item in page]
    finally:
        server.close()
    return sorted(found, key=lambda run: run.started, reverse=True)


def _run(item: KeptWorkflow) -> RunElsewhere:
    meta, status = item.metadata, item.status
    phase = _PHASES.get(status.phase, Phase.FAILED)  # Argo's Error is a run that has failed
    return RunElsewhere(
        id=meta.annotations.get(RUN_LABEL, meta.name),
        name=meta.labels.get(NAME_LABEL, ""),
        phase=Phase.SUSPENDED if item.spec.suspend and not phase.ended else phase,
        started=meta.creation_timestamp.timestamp() if meta.creation_timestamp is not None else 0.0,
        ended=status.finished_at.timestamp() if status.finished_at is not None else None,
        by=next((meta.labels[label] for label in _WHO if meta.labels.get(label)), ""),
    )


def find_at_argo(name: str, settings: ArgoSettings, storages: Tables, reference: str) -> FoundRun:
    """The run that is meant by its id, the name of its Workflow, or the beginning of the id of one that Argo has.

    Raises:
        RunNotFound: there is none, or there are several.
        ConfigError: here the executor has another name than where the run was begun.
        RunDamaged: what the bucket has of it is none of ours.
        HostError: Argo's server or the bucket gives no answer.
    """
    store = bucket_settings(name, settings, storages)
    bucket = Bucket(settings.storage, store)
    server = make_server(settings)
    try:
        for id_ in _meant(server, settings, reference):
            layout = layout_of(store, id_)
            facts = read_facts(bucket, layout) if is_folder_name(id_) else None
            if facts is not None:
                return _found(name, bucket, layout, facts)
    finally:
        server.close()
    raise RunNotFound(
        f"no run {reference!r} at {name!r}: {bucket!r} has nothing of it\n"
        f"    fix:      `sciflow list --on {name}` shows those that Argo has; of one that was cleaned nothing is left"
    )


def _meant(server: Registry, settings: ArgoSettings, reference: str) -> Iterator[str]:
    """The ids that a text may mean."""
    yield reference
    named = server.annotation(dns_name(reference), RUN_LABEL)
    if named:
        yield named
    begin = [run.id for run in runs_at_argo(settings) if run.id.startswith(reference)][:2]
    if len(begin) > 1:
        raise RunNotFound(f"{reference!r} begins the ids of several runs there: {', '.join(begin)} ...")
    yield from begin


def is_folder_name(id_: str) -> bool:
    """Whether a run of that id could have a folder: what stands in the annotations of a Workflow is anybody's."""
    return bool(id_) and "/" not in id_ and not id_.startswith(".")


def _found(name: str, bucket: Bucket, layout: Layout, facts: Facts) -> FoundRun:
    if facts.executor != name:
        raise ConfigError(
            f"the run {layout.run} was begun at an executor {facts.executor!r}, by which name its files are known\n"
            f"    expected: the same settings under the same name\n    found:    [executors.{name}]\n"
            f"    fix:      name it [executors.{facts.executor}] in sciflow.toml, too"
        )
    if facts.refused:
        found = "".join(f"\n    found:    {problem}" for problem in facts.refused)
        raise RunNotFound(
            f"the run {layout.run} has not begun, for what it was started with will not do{found}\n"
            f"    fix:      start another one; or `argo retry {workflow_name(layout.run)} -p NAME=VALUE`"
        )
    if facts.main is not None and facts.main not in {f"code/{file}" for file in facts.code}:
        raise RunDamaged(f"{bucket!r}: {layout.part('')}: {facts.main!r} is none of the run's scripts")
    return FoundRun(
        id=layout.run,
        spec=facts.spec,
        inputs=facts.inputs,
        reuse=facts.reuse,
        setup=bytes(facts.setup),
        started=facts.started,
        main=facts.main,
        bring=lambda root: bring_given(bucket, layout, root, facts),
    )
