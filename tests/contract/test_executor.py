"""Every executor keeps the contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.executors.capacity import Capacity
from sciflow.executors.local import LocalExecutor, Place
from sciflow.testing import ExecutorContract


class TestLocal(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[LocalExecutor]:
        for part in ("logs", "values", "work", "tasks"):
            (tmp_path / part).mkdir()
        place = Place(
            root=tmp_path, session=1, inline_bytes=4096, sys_path=sys.path, argv=["script"], main=None, host={}
        )
        executor = LocalExecutor(place, Capacity(cpus=2))
        yield executor
        executor.close()
