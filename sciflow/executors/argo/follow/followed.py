"""The workflow that is looked after: where it is, and where the things of its run are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sciflow.executors.argo.manifest.naming import workflow_name
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.server.workflows import Workflows


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, its part of the bucket, and its run folder here."""

    server: Workflows
    bucket: Bucket
    layout: Layout
    here: Path

    @property
    def name(self) -> str:
        """The workflow's."""
        return workflow_name(self.layout.run)
