"""Removes a run from a host, and contents that no run there has any more."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from sciflow.errors import RunBusy
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.recall import QUEUE_S
from sciflow.executors.batch.record import BatchRecord, Stage, read_all
from sciflow.executors.systems.system import BatchSystem

REMOVE_S = 600.0
DAY_S = 86400.0
UNUSED = {
    "blob_age_s": DAY_S,
    "code_age_s": 30 * DAY_S,
}  # what no run has stays so long: another may be about to need it
LEAVING_S = 10.0  # for which jobs may still be leaving whose tasks have all ended
LOOK_S = 0.5


class Cleaned(msgspec.Struct, frozen=True):
    """What the host says of a removal."""

    kept: tuple[str, ...] = ()  # runs that have more submissions than those told
    live: tuple[str, ...] = ()  # submissions with elements that have begun and not ended, or were killed
    freed_bytes: int = 0


def remove_run(depot: Depot, system: BatchSystem, root: Path, batches: Collection[str]) -> int | None:
    """Removes what a run has left; bytes of contents that were freed.

    None: it has files of others than these submissions there, all of which stay.

    Raises:
        RunBusy: elements of it are at work.
    """
    request = {"runs": [root.name], "batches": sorted(batches), **UNUSED}
    records = {record.name: record for record in read_all(root) if record.name in batches}
    doubtful = [record for record in records.values() if record.stage in {Stage.SENT, Stage.SUBMITTED}]
    if not doubtful:
        said = depot.ask("clean", request, Cleaned, timeout_s=REMOVE_S)
        if not said.live:
            return None if said.kept else said.freed_bytes
        doubtful = [records[name] for name in said.live]
    _await_end(depot, system, root, doubtful)
    said = depot.ask("clean", {**request, "force": True}, Cleaned, timeout_s=REMOVE_S)
    return None if said.kept else said.freed_bytes


def _await_end(depot: Depot, system: BatchSystem, root: Path, records: Collection[BatchRecord]) -> None:
    """Until the batch system has no job any more of submissions whose files do not show that they have ended.

    An element that was killed leaves the same files as one that is at work.
    """
    names, jobs = {record.name for record in records}, {record.job for record in records if record.job}
    limit, command = time.monotonic() + LEAVING_S, system.queue()
    while any(
        not state.state.ended and (state.name in names or state.job in jobs)
        for state in command.parse(depot.run(command.argv, timeout_s=QUEUE_S))
    ):
        if time.monotonic() > limit:
            raise RunBusy(f"{root}: jobs of this run are at work at {depot.transport.name}: resume or cancel it first")
        time.sleep(LOOK_S)
