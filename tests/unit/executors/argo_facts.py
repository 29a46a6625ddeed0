"""What is written down of a run that is nothing in particular."""

from __future__ import annotations

from typing import Any

from sciflow.core.graph import WorkflowSpec
from sciflow.executors.argo.place.facts import Facts


def facts(**changes: Any) -> Facts:
    told: dict[str, Any] = {
        "spec": WorkflowSpec(name="flow", entry="flow", templates={}),
        "inputs": {}, "reuse": {}, "executor": "argo", "inline_bytes": 8, "pods": 4, "workers": 1, "bundle": "",
        "argv": (), "main": None, "host": {}, "folders": {}, "executable": (), "code": (),
    }  # fmt: skip
    return Facts(**{**told, **changes})
