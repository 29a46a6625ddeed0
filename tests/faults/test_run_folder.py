"""What may befall a run's folder: moved, copied, made read-only, deleted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sciflow
from sciflow import RunError, RunNotFound, SciflowError
from tests.faults.harness import NEEDS_LINUX, NEEDS_ROOT, Bench, Record, eventually
from tests.faults.harness import sciflow as cli
from tests.faults.programs import kills, trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

SCRIPT = """
import os, sys, time
from pathlib import Path
from sciflow import op, workflow

@op
def write(x: int) -> Path:
    time.sleep(0.05)
    Path("number.txt").write_text(str(x) * 3000)
    print("wrote", x)
    return Path("number.txt")

@op
def read(files: list[Path], more: Path) -> list[str]:
    return [*(f.read_text()[:2] for f in files), more.read_text()]

@workflow
def both(xs: list[int], more: Path) -> list[str]:
    return read(write.map(x=xs), more)

if __name__ == "__main__":
    Path("more.txt").write_text("more")
    print(both.submit(xs=list(range(20)), more=Path("more.txt")).id)
"""


@pytest.fixture
def killed(bench: Bench) -> sciflow.Run[Any]:
    """A run of a script's own ops, killed in the middle; the script and its input file are gone."""
    done = bench.script(SCRIPT)
    run = sciflow.open_run(done.stdout.strip())
    assert eventually(lambda: len(run.tasks(phase="Succeeded")) > 4)
    bench.processes.end()
    assert bench.processes.gone()
    (bench.folder / "script.py").unlink()
    (bench.folder / "more.txt").unlink()
    return run


EXPECTED = [*(f"{i}"[0] + (f"{i}" * 2)[1] for i in range(20)), "more"]


def test_a_run_that_was_moved_is_read_and_resumed_where_it_is(killed: sciflow.Run[Any], bench: Bench) -> None:
    elsewhere = bench.folder / "else where" / "new name"
    elsewhere.parent.mkdir()
    done = {task.path: task.started for task in killed.tasks(phase="Succeeded")}
    shutil.move(killed.folder, elsewhere)
    with pytest.raises(RunNotFound):
        sciflow.open_run(killed.id)
    run = sciflow.open_run(elsewhere)
    assert {task.path: task.started for task in run.tasks(phase="Succeeded")} == done
    assert run.logs("write/0") == "wrote 0\n"
    run.resume()
    assert run.result == EXPECTED
    again = {task.path: task.started for task in run.tasks()}
    assert {path: again[path] for path in done} == done
    assert run.output("write/1").is_relative_to(elsewhere)


def test_a_copy_of_a_run_goes_on_apart_from_the_run_itself(killed: sciflow.Run[Any], bench: Bench) -> None:
    copy = bench.folder / "copy"
    shutil.copytree(killed.folder, copy)
    other = sciflow.open_run(copy)
    other.resume()
    assert other.result == EXPECTED
    assert bench.processes.gone()
    shutil.rmtree(copy)
    assert killed.phase == "Error"
    killed.resume()
    assert killed.result == EXPECTED


@pytest.fixture
def read_only(bench: Bench) -> Iterator[Path]:
    """A folder of which what lies in `runs` can be read and not written, even by root."""
    place = bench.folder / "read-only"
    place.mkdir()
    bench.runs.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "--bind", bench.runs, place], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr}")
    subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@NEEDS_ROOT
def test_a_finished_run_in_a_read_only_folder_is_read(bench: Bench, read_only: Path) -> None:
    made = kills.large_values.run(xs=[1, 2, 3])
    (run_id,) = [summary.id for summary in sciflow.list_runs(runs=read_only)]
    run = sciflow.open_run(run_id, runs=read_only)
    assert (run.phase, run.result) == ("Succeeded", made.result)
    assert len(run.tasks()) == len(made.tasks()) > 3
    assert run.logs("spread/0") == ""
    assert run.explain("spread/0")
    shown = cli("show", read_only / run_id, cwd=bench.folder)
    assert shown.returncode == 0, shown.stderr


@NEEDS_ROOT
def test_a_killed_run_in_a_read_only_folder_is_read_and_cannot_be_resumed(
    killed: sciflow.Run[Any], read_only: Path, bench: Bench
) -> None:
    run = sciflow.open_run(read_only / killed.id)
    assert run.phase == "Error"
    assert len(run.tasks(phase="Succeeded")) == len(killed.tasks(phase="Succeeded")) > 4
    with pytest.raises(SciflowError, match=r"(?i)read-only"):
        run.resume(detach=False)
    with pytest.raises(SciflowError, match=r"(?i)read-only"):
        run.resume()
    refused = cli("resume", read_only / killed.id, cwd=bench.folder)
    assert refused.returncode not in (0, 130)
    assert "Traceback" not in refused.stderr


BROKEN_OFF = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = DELETE")
db.execute("PRAGMA cache_size = 1")  # so that pages go to the file before the commit
db.execute("BEGIN IMMEDIATE")
for i in range(2000):
    db.execute("INSERT INTO event VALUES (?, 'half', ?)", (i, "x" * 500))
os._exit(os.path.getsize(sys.argv[1] + "-journal") == 0)
"""


def test_a_run_whose_engine_was_killed_in_the_middle_of_a_commit_is_read_and_resumed(
    killed: sciflow.Run[Any],
) -> None:
    before = Record.of(killed.folder)
    subprocess.run([sys.executable, "-c", BROKEN_OFF, killed.folder / "run.db"], check=True)
    assert [summary.id for summary in sciflow.list_runs()] == [killed.id]
    assert len(killed.tasks(phase="Succeeded")) == len(before.tasks)
    killed.resume()
    assert killed.result == EXPECTED
    after = Record.of(killed.folder).tasks
    assert {path: after[path] for path in before.tasks} == before.tasks


def test_a_run_whose_folder_is_deleted_ends_and_says_so(bench: Bench) -> None:
    run = trouble.patiently.submit(xs=[0, 1, 2, 3])
    assert eventually(lambda: bench.tally.read().total() > 1)
    shutil.rmtree(run.folder)
    assert bench.processes.gone(10.0), bench.processes.all()
    with pytest.raises(RunError, match=r"no such file|deleted"):
        _ = run.phase
    with pytest.raises(RunNotFound):
        sciflow.open_run(run.id)
    assert not run.folder.exists(), "the folder came back"


def test_a_script_whose_run_is_deleted_ends_with_a_clear_error(bench: Bench) -> None:
    text = """
import shutil, threading, time
from pathlib import Path
from tests.faults.programs import trouble
def delete():
    while not (found := list(Path("runs").glob("*/logs/1-1.out"))) or not found[0].stat().st_size:
        time.sleep(0.01)
    shutil.rmtree(found[0].parents[1])
threading.Thread(target=delete).start()
trouble.slowly.run(xs=[0, 1, 2, 3], seconds=1)
"""
    done = bench.script(text, timeout_s=30)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "deleted or moved while it ran" in last, done.stderr
