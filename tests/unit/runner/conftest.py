"""Workers for the tests: one per test, ended with it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from driver import Worker


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """`start(source)`: a worker that knows module `ops` of that source."""
    workers: list[Worker] = []

    def make(source: str = "", **options: object) -> Worker:
        modules = tmp_path / f"modules{len(workers)}"
        modules.mkdir()
        (modules / "ops.py").write_text(textwrap.dedent(source), encoding="utf-8")
        worker = Worker(tmp_path / f"run{len(workers)}", sys_path=(str(modules),), **options)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.end()
