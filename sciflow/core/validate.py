"""Everything that the records alone can tell to be wrong with a workflow, found before anything runs. Pure."""

from __future__ import annotations

from sciflow.core.graph import WorkflowSpec
from sciflow.errors import Problem


def validate(spec: WorkflowSpec) -> list[Problem]:
    """Every problem of a workflow, in the order of its templates and nodes."""
    return []
