"""That a run was ended by somebody, and why: one object in the bucket, since Argo keeps no more than how."""

from __future__ import annotations

import msgspec

from sciflow.executors.argo.bucket import Bucket
from sciflow.executors.argo.client import WorkflowStatus
from sciflow.executors.argo.layout import HALTED, Layout


class Halted(msgspec.Struct, frozen=True, kw_only=True):
    """How a run was ended."""

    killed: bool = True  # what ran was ended by it, and not let to its end before
    exit_handler: bool = True
    why: str


def write_halted(bucket: Bucket, layout: Layout, halted: Halted) -> None:
    """Leaves word of it, for whoever follows the run elsewhere or later."""
    bucket.put(layout.part(HALTED), msgspec.json.encode(halted))


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
