"""A workflow suspended or ended at which no engine looks."""

from __future__ import annotations

from pathlib import Path

from sciflow.config import Tables
from sciflow.executors.argo.follow.halting import Halted, end_workflow
from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.submission import bucket_settings, layout_of
from sciflow.executors.errand import End
from sciflow.executors.settings import ArgoSettings


def recall_workflow(name: str, settings: ArgoSettings, storages: Tables, root: Path, end: End | None) -> None:
    """See `registry.recall_run`; Argo can let nothing run to its end while it ends a workflow."""
    store = bucket_settings(name, settings, storages)
    bucket, layout, server = Bucket(settings.storage, store), layout_of(store, root.name), make_server(settings)
    workflow = workflow_name(root.name)
    try:
        status = server.status(workflow, nodes=False)
        if status is None or status.ended:
            return
        if end is None:
            server.suspend(workflow)
            return
        halted = Halted(exit_handler=end.exit_handler, why=end.why)
        end_workflow(server, workflow, bucket, layout, halted, suspended=status.suspended or status.partial)
    finally:
        server.close()
