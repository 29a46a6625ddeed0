"""What the checks of one executor share: its settings, and what the earlier ones have reached."""

from __future__ import annotations

import secrets
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.making import make_depot, shares, system_of
from sciflow.executors.settings import BatchSettings
from sciflow.executors.systems.system import BatchSystem


class Visit:
    """One examination. What is made lazily raises what the transport and the batch system raise."""

    def __init__(self, name: str, settings: BatchSettings, *, runs: Path, wait_s: float) -> None:
        """`wait_s`: how long a test job may wait and run."""
        self.name = name
        self.settings = settings
        self.wait_s = wait_s
        self._runs = runs
        self._mark = f"doctor-{secrets.token_hex(4)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if "depot" in vars(self):
            self.depot.transport.close()

    @property
    def table(self) -> str:
        """How the settings' table is called."""
        return f"[executors.{self.name}]"

    @property
    def where(self) -> str:
        """The machine."""
        return self.settings.host or "this machine"

    @cached_property
    def depot(self) -> Depot:
        """The folder there, not reached yet."""
        return make_depot(self.settings)

    @cached_property
    def system(self) -> BatchSystem:
        """Its batch system, once the folder is there."""
        return system_of(self.settings)(self.depot)

    @property
    def mark(self) -> str:
        """A name that no other examination has."""
        return self._mark

    @property
    def folder(self) -> str:
        """For what the checks leave for a moment: where the files of a run would lie."""
        if shares(self.settings):
            return f"{self._runs}/.{self._mark}"
        return f"{self.depot.root}/{self._mark}"
