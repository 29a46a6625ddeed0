"""Where the table is run. A back end gives runs; a case looks at them through their handles."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from sciflow import Run, list_runs


class Backend(Protocol):
    """A place to run workflows at.

    `desk` is a folder of the author's machine, for input files and modules.
    """

    name: str
    desk: Path

    def run(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """A run that has ended, or waits for somebody."""

    def start(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """A run that goes on beside the test."""

    def plan(self, workflow: Any, inputs: Mapping[str, Any]) -> Any:
        """What a run would do."""

    def runs(self) -> list[Any]:
        """All runs of this case."""

    def dial(self, value: str) -> None:
        """Set the secret `CONFORMANCE_DIAL`, by which an op's world changes between two goes of one run."""

    def module(self, name: str, source: str) -> ModuleType:
        """The user's module of that name with this source, newly imported; call again to edit it."""


class Local:
    """Worker processes of this machine; `start` gives the run an engine in a process of its own."""

    name = "local"

    def __init__(self, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        self._runs = desk / "runs"
        self._patch = monkeypatch
        settings = {"RUNS": str(self._runs), "PROGRESS": "false", "DURABLE": "normal", "WORKERS": "2"}
        for name, value in settings.items():
            monkeypatch.setenv(f"SCIFLOW_{name}", value)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # a worker is given as many as its ops have cores

    def run(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        return _with(workflow, options).run(**inputs)  # type: ignore[no-any-return]

    def start(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        return _with(workflow, options).submit(**inputs)  # type: ignore[no-any-return]

    def plan(self, workflow: Any, inputs: Mapping[str, Any]) -> Any:
        """See `Backend`."""
        return workflow.plan(**inputs)

    def runs(self) -> list[Any]:
        """See `Backend`."""
        return list_runs(runs=self._runs) if self._runs.exists() else []

    def dial(self, value: str) -> None:
        """See `Backend`."""
        self._patch.setenv("CONFORMANCE_DIAL", value)

    def module(self, name: str, source: str) -> ModuleType:
        """See `Backend`."""
        folder = self.desk / "modules"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        if str(folder) not in sys.path:
            self._patch.syspath_prepend(folder)
        self._patch.setattr(sys, "dont_write_bytecode", True)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _with(workflow: Any, options: Mapping[str, Any]) -> Any:
    return workflow.options(**options) if options else workflow


BACKENDS = {"local": Local}
