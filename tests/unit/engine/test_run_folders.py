"""Folders of runs: their names, the list of them, and the lock that keeps a second engine out."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sciflow import InvalidWorkflow, RunBusy, list_runs, op, open_run, workflow
from sciflow.core.records import Phase
from sciflow.view import runs as view
from tests import lockless
from tests.faults.harness import NEEDS_LINUX

ROOT = Path(__file__).parents[3]


@op
def same(x: int) -> int:
    return x


@workflow
def one(x: int) -> int:
    return same(x)


@pytest.mark.parametrize("name", ["cu/eos", "../eos", ".eos", "-eos", "cu eos", "cu\n", "e" * 201])
def test_a_name_that_cannot_be_a_folders_is_refused_before_anything_runs(tmp_path: Path, name: str) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(InvalidWorkflow, match="cannot be a run's name"):
        one.options(runs=runs, progress=False, name=name).run(1)
    assert not runs.exists()


def test_a_name_of_letters_digits_and_points_is_found_in_the_list(tmp_path: Path) -> None:
    run = one.options(runs=tmp_path, progress=False, name="größe_Cu-2.5").run(1)
    assert [summary.id for summary in list_runs(runs=tmp_path)] == [run.id]
    assert open_run("größe_Cu-2.5", runs=tmp_path).id == run.id


KILLED = """
import os
from sciflow.engine.records_writer import Writer
from tests.unit.engine.test_run_folders import one

Writer.commit = lambda self: os.kill(os.getpid(), 9)
one.options(runs=RUNS, progress=False).run(1)
"""


def test_a_run_that_was_killed_while_it_was_made_is_in_no_list(tmp_path: Path) -> None:
    script = KILLED.replace("RUNS", repr(str(tmp_path)))
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert list_runs(runs=tmp_path) == []


def test_a_damaged_run_is_a_line_in_the_list(tmp_path: Path) -> None:
    whole = one.options(runs=tmp_path, progress=False).run(1)
    damaged = tmp_path / "one-20260101-000000-abcd"
    damaged.mkdir()
    (damaged / "run.db").touch()
    first, second = list_runs(runs=tmp_path)
    assert (first.id, first.phase, first.name) == (damaged.name, Phase.ERROR, "one")
    assert "no such table" in first.message
    assert second.id == whole.id
    line = view.for_terminal([first], now_s=time.time())
    assert "damaged" in str(next(iter(line.columns[-1].cells)))


def test_whoever_looks_whether_an_engine_is_at_work_keeps_none_from_starting(tmp_path: Path) -> None:
    run = one.options(runs=tmp_path, progress=False).run(1)
    fd = os.open(run.folder / "engine.lock", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    looker = threading.Timer(0.04, os.close, (fd,))
    looker.start()
    assert run.retry() is Phase.SUCCEEDED
    looker.join()


def test_an_engine_at_work_keeps_a_second_one_out(tmp_path: Path) -> None:
    run = one.options(runs=tmp_path, progress=False).run(1)
    fd = os.open(run.folder / "engine.lock", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(RunBusy):
        run.carry_on()
    os.close(fd)


@NEEDS_LINUX
def test_runs_on_a_file_system_without_locks_are_refused_and_not_taken_for_another_engines(tmp_path: Path) -> None:
    def lockless_python(text: str) -> str:
        argv = [sys.executable, lockless.__file__, sys.executable, "-c", text]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr

    begin = (
        f"from pathlib import Path\nfrom tests.unit.engine.test_run_folders import *\nruns = Path({str(tmp_path)!r})\n"
    )
    refused = f"{tmp_path}: its file system has no locks"
    assert refused in lockless_python(f"{begin}one.options(runs=runs, progress=False).run(1)")
    assert list(tmp_path.iterdir()) == []
    run = one.options(runs=tmp_path, progress=False).run(1)
    for verb in ("resume(detach=False)", "running"):
        said = lockless_python(f"{begin}open_run({run.id!r}, runs=runs).{verb}")
        assert "RunDamaged" in said
        assert f"{run.id}: its file system has no locks" in said
        assert "SCIFLOW_RUNS" in said
