"""Outcomes in the cache whose files are large: they come into the run while its engine does other things."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sciflow import op, workflow
from sciflow.engine.carrying import LARGE


@op(cache=True)
def large(number: int) -> Path:
    made = Path("large.bin")
    with made.open("wb") as file:
        file.truncate(LARGE + number)
    return made


@op
def tick(count: int) -> int:
    return count + 1


@op
def size_of(file: Path) -> int:
    return file.stat().st_size - LARGE


@workflow
def measured(number: int) -> tuple[int, int]:
    return size_of(large(number)), tick(tick(0))


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")


def eventually(holds: Callable[[], object], timeout_s: float = 60.0) -> bool:
    end = time.monotonic() + timeout_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(holds())


def test_a_large_file_comes_from_the_cache() -> None:
    assert measured.run(3).result == (3, 2)
    run = measured.run(3)
    assert run.result == (3, 2)
    assert [task.cached for task in run.tasks("large")] == [True]


@pytest.mark.timeout(150)
def test_the_engine_goes_on_while_a_large_file_comes_from_the_cache() -> None:
    (file,) = (measured.run(3).folder / "tasks" / "large").rglob("large.bin")
    file.unlink()
    os.mkfifo(file)  # who reads it waits
    run = measured.submit(3)
    try:
        assert eventually(lambda: "tick-2" in {task.path for task in run.tasks(phase="Succeeded")}), run.report()
        assert run.phase == "Running"
    finally:
        writer = os.open(file, os.O_WRONLY)  # somebody reads it
        file.unlink()
        os.close(writer)
    assert run.wait(timeout_s=60) == "Succeeded"
    assert run.result == (3, 2)
    assert [task.cached for task in run.tasks("large")] == [False]
