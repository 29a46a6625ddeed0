"""Removes a run from a host, and contents that no run there has any more."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from sciflow.errors import RunBusy
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.recall import QUEUE_S, WAITING
from sciflow.executors.batch.record import BatchRecord, Stage, read_all
from sciflow.executors.systems.system import BatchSystem, JobState, Part

REMOVE_S = 600.0
DAY_S = 86400.0
UNUSED = {
    "blob_age_s": DAY_S,
    "code_age_s": 30 * DAY_S,
}  # what no run has stays so long: another may be about to need it
LEAVING_S = 60.0  # for which jobs may still be leaving whose tasks have all ended
AT_WORK_S = 10.0  # the same for others, which are at work as far as is known
LOOK_S = 0.5


class Cleaned(msgspec.Struct, frozen=True):
    """What the host says of a removal."""

    kept: tuple[str, ...] = ()  # runs that have more submissions than those told
    freed_bytes: int = 0


def remove_run(depot: Depot, system: BatchSystem, root: Path, batches: Collection[str]) -> int | None:
    """Removes what a run has left; bytes of contents that were freed.

    None: it has files of others than these submissions there, all of which stay.

    Raises:
        RunBusy: elements of it are at work.
    """
    _await_end(depot, system, root, [record for record in read_all(root) if record.name in batches])
    request = {"runs": [root.name], "batches": sorted(batches), **UNUSED}
    said = depot.ask("clean", request, Cleaned, timeout_s=REMOVE_S)
    return None if said.kept else said.freed_bytes


def _await_end(depot: Depot, system: BatchSystem, root: Path, records: Collection[BatchRecord]) -> None:
    """Until the batch system has no job any more of these submissions, which their files do not show.

    An element that was killed leaves the same files as one that is at work; of one that has ended the job may have been
    queued again, by an operator who may hold it, and is cancelled.
    """
    doubtful = [record for record in records if record.stage in {Stage.SENT, Stage.SUBMITTED}]
    names, jobs = {record.name for record in records}, {record.job for record in doubtful if record.job}
    unwanted = names.difference(record.name for record in doubtful)
    began, command = time.monotonic(), system.queue()
    while True:
        listed = command.parse(depot.run(command.argv, timeout_s=QUEUE_S))
        own = [state for state in listed if not state.state.ended and (state.name in names or state.job in jobs)]
        if not own:
            return
        at_work = any(state.name not in unwanted for state in own)
        if time.monotonic() - began > (AT_WORK_S if at_work else LEAVING_S):
            raise RunBusy(f"{root}: jobs of this run are at work at {depot.transport.name}: resume or cancel it first")
        waiting = [_part(state) for state in own if state.state in WAITING and state.name in unwanted]
        if waiting:
            cancel = system.cancel(waiting)
            cancel.parse(depot.run(cancel.argv, timeout_s=QUEUE_S))
        time.sleep(LOOK_S)


def _part(state: JobState) -> str | Part:
    return state.job if state.element is None else Part(job=state.job, elements=(state.element,))
