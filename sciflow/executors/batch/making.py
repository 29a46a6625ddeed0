"""Puts the executor of a batch system together from its settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.batch.courier import Courier, Tempo
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.executor import BatchExecutor
from sciflow.executors.batch.fetching import fetch
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.missing import LATE_S, PATIENCE_S
from sciflow.executors.batch.news import Adopt, News
from sciflow.executors.batch.record import BatchRecord, Stage, read_records
from sciflow.executors.batch.removing import remove_run
from sciflow.executors.batch.sending import Terms
from sciflow.executors.batch.ward import Ward
from sciflow.executors.capacity import Capacity, Quota
from sciflow.executors.containers.engines import ENVIRONMENT
from sciflow.executors.errand import Errand
from sciflow.executors.inbox import Inbox
from sciflow.executors.lost_files import gone
from sciflow.executors.request import Surroundings
from sciflow.executors.settings import BatchSettings
from sciflow.executors.systems.system import BatchSystem
from sciflow.executors.transports.local import LocalTransport
from sciflow.executors.transports.transport import Transport

LOCAL_DEPOT = "~/.cache/sciflow/depot"


def make_batch(name: str, settings: BatchSettings, errand: Errand, *, recorded: bool = False) -> BatchExecutor:
    """The executor of that name, for one run; `recorded`: its host has the records of submissions, too.

    Raises:
        ConfigError: it is somewhere else than the jobs that the run has there.
    """
    check_place(settings, read_records(errand.root, name))
    depot = make_depot(settings)
    shared = shares(settings)
    news: Inbox[News] = Inbox()
    ward = _ward(settings, depot, errand.root, news.put, recorded=recorded)
    tempo = Tempo(least_s=settings.look_least_s, most_s=settings.look_most_s)
    sys_path = [*(f"$DEPOT/code/{bundle}" for bundle in errand.code), *([] if settings.host else errand.sys_path)]
    around = Surroundings(
        sys_path=sys_path,
        argv=errand.argv,
        main=f"$ROOT/{errand.main}" if errand.main else None,
        host={**errand.host, **settings.settings},
        inline_bytes=errand.inline_bytes,
        at=None if shared else errand.at or name,
    )
    capacity = _capacity(settings, errand.quota)
    terms = Terms(
        name=name,
        site=settings.site,
        elements=settings.elements,
        throttle=settings.throttle,
        workers=settings.workers,
        walltime_s=settings.walltime_s,
        box=settings.box,
        place=place_of(settings),
        numbers_gpus=settings.system == "shell" and capacity is not None,
    )
    return BatchExecutor(
        terms,
        Courier(name, depot, ward, here=errand.root, news=news, tempo=tempo),
        root=errand.root,
        around=around,
        code=errand.code,
        capacity=capacity,
        is_over=errand.is_over,
    )


def _ward(
    settings: BatchSettings, depot: Depot, root: Path, tell: Callable[[News], None], *, recorded: bool = False
) -> Ward:
    there = None if shares(settings) else _there(root)
    handover = Handover(depot, system_of(settings), here=root, there=there, recorded=recorded)
    return Ward(handover, here=root, fresh_s=settings.look_least_s, marks_s=_marks_s(settings), tell=tell)


def _marks_s(settings: BatchSettings) -> float:
    """For so long the machine may not see what its nodes have written; what it has written itself it sees at once."""
    default_s = PATIENCE_S if settings.system == "shell" else LATE_S
    return default_s if settings.marks_patience_s is None else settings.marks_patience_s


def _counts(settings: BatchSettings) -> bool:
    """Whether what the machine has is counted here: no batch system does."""
    return settings.system == "shell" and not settings.host


def _capacity(settings: BatchSettings, asked: Quota) -> Capacity | None:
    """What the run may take at once; None: as much as the batch system gives."""
    quota = Quota(
        cpus=asked.cpus or settings.cpus,
        memory_mb=asked.memory_mb or settings.memory_mb,
        gpus=settings.gpus if asked.gpus is None else asked.gpus,
    )
    if _counts(settings):
        return Capacity(cpus=quota.cpus, memory_mb=quota.memory_mb, gpus=quota.gpus)
    return quota.capacity() if quota else None


def fetch_from(settings: BatchSettings, root: Path, paths: Sequence[str]) -> Mapping[str, str]:
    """See `registry.fetch_files`."""
    if shares(settings):
        return {path: gone(path, root) for path in paths if not (root / path).exists()}
    depot = make_depot(settings)
    try:
        depot.prepare(expected=True)
        return fetch(depot, f"{depot.root}/{_there(root)}", root, paths)
    finally:
        depot.transport.close()


def clear_at(settings: BatchSettings, root: Path, batches: Collection[str]) -> int | None:
    """See `registry.clear_run`."""
    if shares(settings):
        return 0
    depot = make_depot(settings)
    try:
        depot.prepare(expected=True)
        return remove_run(depot, system_of(settings)(depot), root, batches)
    finally:
        depot.transport.close()


def recall_from(settings: BatchSettings, records: Sequence[BatchRecord], root: Path, *, running: bool) -> None:
    """See `registry.recall_run`."""
    check_place(settings, records)
    depot = make_depot(settings)
    ward = _ward(settings, depot, root, lambda _: None)
    for record in records:
        ward.accept(Adopt(record=record))
    try:
        depot.prepare(expected=ward.has_sent)
        if running:
            ward.cancel_all()
        else:
            ward.withdraw()
    finally:
        depot.transport.close()


def place_of(settings: BatchSettings) -> str:
    """Where jobs of an executor are, as people read it."""
    host = settings.host or "this machine"
    return f"{settings.system} on {host}, in {settings.work_root or 'the run folder'}"


def check_place(settings: BatchSettings, records: Sequence[BatchRecord]) -> None:
    """Whether an executor is still where the jobs are that a run has with it.

    Raises:
        ConfigError: it is not: its queue knows nothing of them, or has others under their ids.
    """
    here = place_of(settings)
    for record in records:
        if record.stage not in {Stage.PACKED, Stage.ENDED} and record.place not in {"", here}:
            raise ConfigError(
                f"[executors.{record.executor}] is {here}, and jobs of this run are at {record.place}\n"
                "    fix:      put it back until the run has ended, or until `sciflow cancel` has ended them there; "
                "another place\n              needs another name"
            )


def make_depot(settings: BatchSettings) -> Depot:
    """An executor's folder on its machine, which is not reached before it is used."""
    python = settings.python or ("python3" if settings.host else sys.executable)
    return Depot(make_transport(settings), work_root=settings.work_root or LOCAL_DEPOT, python=python)


def shares(settings: BatchSettings) -> bool:
    """Whether jobs work in the run folder itself."""
    return not settings.host and not settings.work_root


def _there(root: Path) -> str:
    """A run's root under the depot."""
    return f"runs/{root.name}"


def make_transport(settings: BatchSettings) -> Transport:
    """The way to an executor's machine."""
    if not settings.host:
        return LocalTransport()
    from sciflow.executors.transports.ssh import SshTransport

    config = Path(settings.ssh_config).expanduser() if settings.ssh_config else None
    return SshTransport(settings.host, config=config)


def system_of(settings: BatchSettings) -> Callable[[Depot], BatchSystem]:
    """The batch system of an executor, once its host has been reached."""

    def make(depot: Depot) -> BatchSystem:
        try:
            return _system(settings, depot)
        except (TypeError, msgspec.ValidationError) as error:
            raise ConfigError(f"options of {settings.system}: {error}") from error

    return make


def _system(settings: BatchSettings, depot: Depot) -> BatchSystem:
    options = settings.options
    match settings.system:
        case "slurm":
            from sciflow.executors.systems.slurm import Slurm

            return msgspec.convert(options, type=Slurm)
        case "shell":
            from sciflow.executors.systems.shell import Shell

            return msgspec.convert(
                {
                    "runner": depot.runner,
                    "work_root": depot.root,
                    "python": depot.python,
                    "kept": ENVIRONMENT if settings.box is not None else (),
                    **options,
                },
                type=Shell,
            )
        case "pbs":
            from sciflow.executors.systems.pbs import PBS

            return msgspec.convert(options, type=PBS)
        case "lsf":
            from sciflow.executors.systems.lsf import LSF

            return msgspec.convert(options, type=LSF)
        case "sge":
            from sciflow.executors.systems.sge import SGE

            return msgspec.convert(options, type=SGE)
