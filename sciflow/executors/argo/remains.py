"""What a run has left at Argo, its part of the bucket and its workflow: that there is something, how much, removed.

Code and the cache belong to no run and stay: who else uses them is not known.
"""

from __future__ import annotations

import time
from pathlib import Path

from sciflow.config import Tables
from sciflow.errors import RunBusy
from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.submission import bucket_settings, layout_of
from sciflow.executors.settings import ArgoSettings

LEAVING_S = 120.0  # for which a workflow may still be leaving whose tasks have all ended, or were found in the cache
LOOK_S = 1.0


def weigh_at_argo(name: str, settings: ArgoSettings, storages: Tables, root: Path) -> int:
    """The bytes of a run in the bucket.

    Raises:
        HostError: it is not to be reached now.
    """
    store = bucket_settings(name, settings, storages)
    return sum(Bucket(settings.storage, store).sizes(layout_of(store, root.name).part("")).values())


def clear_at_argo(name: str, settings: ArgoSettings, storages: Tables, root: Path) -> int:
    """Removes what a run has left; how many bytes.

    Raises:
        RunBusy: its workflow is at work.
        HostError: the bucket or Argo's server is not to be reached now.
    """
    store = bucket_settings(name, settings, storages)
    bucket, layout, server = Bucket(settings.storage, store), layout_of(store, root.name), make_server(settings)
    workflow = workflow_name(root.name)
    try:
        limit = time.monotonic() + LEAVING_S
        while (status := server.status(workflow, nodes=False)) is not None and not status.ended:
            if time.monotonic() > limit:
                raise RunBusy(f"{root}: its workflow {workflow} is at work at {name}: resume or cancel it first")
            time.sleep(LOOK_S)
        sizes = bucket.sizes(layout.part(""))
        bucket.delete_all(sizes)
        server.delete(workflow)
    finally:
        server.close()
    return sum(sizes.values())
