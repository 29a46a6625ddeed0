"""Runs on a machine without a batch system that has a folder of its own for runs, as one that SSH reaches has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sciflow.core.graph import Resources
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.supply import Supply
from sciflow.executors.systems.system import Site, Submission
from tests.unit.executors import flow_of_machine as flow

NAME = "machine"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its folder; runs go there unless they say otherwise."""
    work_root = tmp_path / "there"
    table = {
        "type": "batch",
        "system": "shell",
        "work_root": str(work_root),
        "python": sys.executable,
        "look_least_s": 0.05,
        "look_most_s": 0.2,
    }
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({NAME: table}))
    monkeypatch.setenv("SCIFLOW_EXECUTOR", NAME)
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")
    return work_root


def test_a_run_that_has_ended_holds_no_descriptor_of_its_executors() -> None:
    assert flow.squares.run([1, 2]).result == [1, 4]  # what is opened once for a process is open from now on
    before = len(os.listdir("/proc/self/fd"))
    assert flow.squares.run([3, 4]).result == [9, 16]
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_is_sent_to_a_host_shows_no_secret_when_it_is_printed() -> None:
    submission = Submission(
        name="a", folder="", elements=1, resources=Resources(), site=Site(), command=(), secrets=("SCIFLOW_SECRET_0",)
    )
    send = Send(
        record=BatchRecord(name="a", executor=NAME),
        submission=submission,
        supply=Supply(),
        code={},
        index={},
        requests=b"",
        secrets={"SCIFLOW_SECRET_0": "hunter2"},
    )
    assert "SCIFLOW_SECRET_0" in repr(send)
    assert "hunter2" not in repr(send)
