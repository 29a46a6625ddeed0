"""Pods of one run, of which each finds out of the bucket what it has to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sciflow.pod.__main__ import main
from tests.unit.executors.bucket_stand_in import Objects


class Pods:
    """Pods of one run, each with a volume of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, endpoint: str) -> None:
        self._monkeypatch = monkeypatch
        self._folder = folder
        self._s3 = {"endpoint": endpoint, "bucket": "bucket"}
        self._number = 0

    def run(self, *argv: str, replaced: int = 0) -> tuple[int, Path]:
        """The exit code of a pod that has to find out this, and the folder that it leaves.

        `replaced`: how many pods were lost before it.
        """
        self._number += 1
        volume = self._folder / str(self._number)
        told = {"volume": str(volume), "runner": "runner.zip", "prefix": "", "s3": self._s3}
        self._monkeypatch.setenv("SCIFLOW_POD", json.dumps(told))
        self._monkeypatch.setenv("SCIFLOW_RUN", "run")
        self._monkeypatch.setenv("SCIFLOW_RETRIES", str(replaced))
        self._monkeypatch.setenv("SCIFLOW_POD_UID", f"{self._number:08x}-0000-4000-8000-000000000000")
        return main(list(argv)), volume / "pod"


def told(folder: Path) -> Any:
    """What a pod is to do."""
    return json.loads((folder / "pod.json").read_text())


def save(objects: Objects, path: str, folder: Path) -> None:
    """Argo saves what the only pod of a node has left."""
    objects.held[f"runs/run/outcomes/{path}/0"] = (folder / "outcomes").read_bytes()
