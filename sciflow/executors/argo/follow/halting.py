"""That a run was ended by somebody, and why: one object in the bucket, since Argo keeps no more than how."""

from __future__ import annotations

import msgspec

from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import HALTED, Layout
from sciflow.executors.argo.server.objects import WorkflowStatus
from sciflow.executors.argo.server.workflows import Control


class Halted(msgspec.Struct, frozen=True, kw_only=True):
    """How a run was ended."""

    killed: bool = True  # what ran was ended by it, and not let to its end before
    exit_handler: bool = True
    why: str


def end_workflow(
    server: Control, name: str, bucket: Bucket, layout: Layout, halted: Halted, *, suspended: bool
) -> None:
    """Ends a workflow, after word of it is left for whoever follows the run elsewhere or later.

    `suspended`: it may be, and would not look at what it is told.
    """
    bucket.put(layout.part(HALTED), msgspec.json.encode(halted))
    (server.stop if halted.exit_handler else server.terminate)(name)
    if suspended:
        server.resume(name)


def read_halted(bucket: Bucket, layout: Layout, status: WorkflowStatus) -> Halted | None:
    """How it was ended, if it was; who ends it in Argo itself does not say why."""
    if not (status.shutdown or status.gone):
        return None
    halted = bucket.decoded(layout.part(HALTED), Halted)
    if halted is not None:
        return halted
    if status.shutdown == "Terminate":
        return Halted(exit_handler=False, why="the run was terminated")
    return Halted(why="the run was stopped") if status.shutdown else None
