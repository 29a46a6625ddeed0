"""A pool that takes nothing until there is a file."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any


class Reluctant(ThreadPoolExecutor):
    def __init__(self, mark: str) -> None:
        super().__init__(2)
        self._mark = Path(mark)

    def submit(self, *given: Any, **named: Any) -> Future[Any]:
        if not self._mark.exists():
            raise RuntimeError("the cluster is down")
        return super().submit(*given, **named)
