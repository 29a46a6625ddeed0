"""The clock of the wall is set back, or a long way on, in the middle of a run; durable runs wait for the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import sciflow
from tests.faults.harness import NEEDS_LINUX, Bench, eventually

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

SCRIPT = """
import sys
from tests.faults.programs import kills, trouble
match sys.argv[1]:
    case "retries":
        print(trouble.waits.submit(xs=[0, 1, 2]).id)
    case "limit":
        print(trouble.slowly.options(timeout_s=60).submit(xs=[0, 1], seconds=0.6).id)
    case "durable" | "not durable" as how:
        run = kills.chain.options(durable=how == "durable").run(x=1)
        assert run.phase == "Succeeded"
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that sets the clock of the processes it is loaded into, and counts their waits for the disk."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler, by which the clock is set")
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


def _environ(shim: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "LD_PRELOAD": str(shim), **more}


@pytest.mark.parametrize("shift_s", [-86400, 86400])
def test_a_run_goes_on_when_the_clock_is_set(shift_s: int, bench: Bench, shim: Path) -> None:
    clock = bench.folder / "clock"
    done = bench.script(SCRIPT, "retries", env=_environ(shim, SHIM_CLOCK=str(clock)))
    run = sciflow.open_run(done.stdout.strip())
    assert eventually(lambda: bench.tally.read().total() >= 1)
    clock.write_text(str(shift_s))
    began = time.monotonic()
    assert eventually(lambda: run.phase.ended, timeout_s=20), "it waits for a time that was long ago"
    assert run.result == [0, 1, 2]
    assert time.monotonic() - began < 15
    assert all(task.seconds >= 0 for task in run.tasks())
    assert len(run.logs("wait_and_see/1").splitlines()) >= 3


def test_a_time_limit_is_not_passed_because_the_clock_was_set(bench: Bench, shim: Path) -> None:
    clock = bench.folder / "clock"
    done = bench.script(SCRIPT, "limit", env=_environ(shim, SHIM_CLOCK=str(clock)))
    run = sciflow.open_run(done.stdout.strip())
    assert eventually(lambda: bench.tally.read().total() == 2)
    clock.write_text("86400")
    assert run.result == [0, 1]


def test_a_run_that_was_killed_is_resumed_after_the_clock_was_set_back(bench: Bench, shim: Path) -> None:
    clock = bench.folder / "clock"
    clock.write_text("86400")
    done = bench.script(SCRIPT, "retries", env=_environ(shim, SHIM_CLOCK=str(clock)))
    run = sciflow.open_run(done.stdout.strip())  # from now on by the clock of today
    assert eventually(lambda: bench.tally.read().total() >= 2)
    bench.processes.end()
    assert bench.processes.gone()
    assert run.phase == "Error", "it seems to have begun only in the future"
    assert run.id in [summary.id for summary in sciflow.list_runs()]
    run.resume()
    assert run.result == [0, 1, 2]


def _waits_for_the_disk(how: str, bench: Bench, shim: Path) -> int:
    count = bench.folder / f"syncs {how}"
    done = bench.script(SCRIPT, how, env=_environ(shim, SHIM_SYNCS=str(count)))
    assert done.returncode == 0, done.stderr
    return count.stat().st_size


def test_a_durable_run_waits_for_the_disk_at_each_commit_and_another_does_not(bench: Bench, shim: Path) -> None:
    few, many = _waits_for_the_disk("not durable", bench, shim), _waits_for_the_disk("durable", bench, shim)
    assert many >= few + 30, "a chain of 40 tasks takes at least 40 commits"


def test_the_setting_makes_runs_durable(bench: Bench, shim: Path) -> None:
    text = "from tests.faults.programs import kills\nassert kills.chain.run(x=1).phase == 'Succeeded'"
    count = bench.folder / "syncs"
    done = bench.script(text, env=_environ(shim, SHIM_SYNCS=str(count), SCIFLOW_DURABLE="full"))
    assert done.returncode == 0, done.stderr
    assert count.stat().st_size >= 40
