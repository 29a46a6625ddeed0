"""Removes a run from a host, and contents that no run there has any more."""

from __future__ import annotations

import json
from pathlib import Path

from sciflow.errors import RunBusy
from sciflow.executors.batch.depot import Depot

REMOVE_S = 600.0
UNUSED_S = 86400.0  # contents that no run has stay so long: another run may be about to need them


def remove_run(depot: Depot, root: Path) -> int:
    """Removes what a run has left; bytes of contents that were freed.

    Raises:
        RunBusy: elements of it are at work.
    """
    request = {"runs": [root.name], "blob_age_s": UNUSED_S}
    said = json.loads(depot.call("clean", request, timeout_s=REMOVE_S).stdout)
    if said["busy"]:
        raise RunBusy(f"{root}: jobs of this run are at work at {depot.transport.name}: resume or cancel it first")
    return int(said["freed_bytes"])
