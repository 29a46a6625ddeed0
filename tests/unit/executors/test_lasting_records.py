"""What must be written down past a loss of power: else jobs would be submitted a second time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.unit.executors import flow_of_machine as flow


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc what a descriptor is")
def test_a_submission_is_on_the_disk_before_it_is_made_and_its_job_when_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"type": "batch", "system": "shell", "work_root": str(tmp_path / "there"), "look_least_s": 0.05}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"machine": table}))
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    synced: list[tuple[str, str]] = []  # what, and how far the submission was known to have come
    fsync = os.fsync

    def sync(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        submitted = any(tmp_path.glob("there/runs/*/batches/*/submitted"))
        stage = json.loads(path.read_bytes())["stage"] if path.name == "record.json.new" else ""
        if path.is_relative_to(tmp_path / "runs") and (stage or path.is_dir()):
            synced.append((stage or path.parent.name, "submitted" if submitted else ""))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", sync)
    run = flow.squares.options(executor="machine", progress=False).run([1, 2])
    assert run.result == [1, 4]
    folders = ["batches", run.id, "runs"]  # in which the names of the submission, of `batches` and of that are
    before = [what for what, known in synced if not known]
    after = [what for what, known in synced if known]
    assert (before, after) == (["sent", *folders], ["submitted", *folders])
