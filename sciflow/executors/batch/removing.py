"""Removes a run from a host, and contents that no run there has any more."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sciflow.errors import RunBusy
from sciflow.executors.batch.depot import Depot

REMOVE_S = 600.0
UNUSED_S = 86400.0  # contents that no run has stay so long: another run may be about to need them


class Cleaned(msgspec.Struct, frozen=True):
    """What the host says of a removal."""

    busy: tuple[str, ...] = ()  # runs that have elements at work
    freed_bytes: int = 0


def remove_run(depot: Depot, root: Path) -> int:
    """Removes what a run has left; bytes of contents that were freed.

    Raises:
        RunBusy: elements of it are at work.
    """
    request = {"runs": [root.name], "blob_age_s": UNUSED_S}
    said = depot.ask("clean", request, Cleaned, timeout_s=REMOVE_S)
    if said.busy:
        raise RunBusy(f"{root}: jobs of this run are at work at {depot.transport.name}: resume or cancel it first")
    return said.freed_bytes
