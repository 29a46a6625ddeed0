"""One engine to a run: a second one is refused, a dead one's lock is no hindrance."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import sciflow
from sciflow import RunBusy
from tests.faults.harness import NEEDS_LINUX, Bench, eventually
from tests.faults.harness import sciflow as cli
from tests.faults.programs import trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]


def test_a_second_engine_is_refused_and_the_first_goes_on(bench: Bench) -> None:
    run = trouble.patiently.submit(xs=[0, 1, 2, 3])
    assert eventually(lambda: bench.tally.read().total() > 0)
    (engine,) = bench.processes.engines()
    with pytest.raises(RunBusy, match=f"another engine works on this run .process {engine.pid} "):
        run.carry_on()
    with pytest.raises(RunBusy):
        run.retry()
    second = subprocess.run(
        [sys.executable, "-m", "sciflow.engine", run.folder], capture_output=True, text=True, check=False
    )
    assert second.returncode != 0
    assert "another engine works on this run" in second.stderr
    assert "Traceback" not in second.stderr
    refused = cli("retry", run.id, cwd=bench.folder)
    assert refused.returncode != 0
    assert "an engine is at work" in refused.stderr
    bench.let_go_on()
    assert run.result == [0, 1, 2, 3]
    assert set(bench.tally.read().values()) == {1}


def test_the_lock_of_a_dead_engine_is_recognised(bench: Bench) -> None:
    run = trouble.slowly.submit(xs=[0, 1, 2, 3], seconds=1.0)
    assert eventually(lambda: bench.tally.read().total() > 2)
    for engine in bench.processes.engines():
        engine.kill()
    assert eventually(lambda: run.phase == "Error", timeout_s=5)
    assert "engine died" in run.snapshot().message
    shown = cli("list", cwd=bench.folder)
    assert run.id in shown.stdout
    assert "Error" in shown.stdout
    lock = run.folder / "engine.lock"
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "pid": os.getpid()}))  # the number was given anew
    assert sciflow.open_run(run.id).phase == "Error"
    run.resume()
    assert run.result == [0, 1, 2, 3]


def test_a_run_whose_engine_never_began_can_be_resumed(bench: Bench) -> None:
    run = trouble.slowly.submit(xs=[0, 1], seconds=0.0)
    bench.processes.end()
    assert bench.processes.gone()
    run.resume()
    assert run.result == [0, 1]


def test_two_who_resume_at_once_do_not_disturb_each_other(bench: Bench) -> None:
    run = trouble.slowly.submit(xs=list(range(8)), seconds=0.1)
    assert eventually(lambda: bench.tally.read().total() > 2)
    bench.processes.end()
    assert bench.processes.gone()
    for _ in range(4):
        run.detach()
    assert eventually(lambda: run.phase != "Error")
    assert run.wait(timeout_s=30) == "Succeeded"
    assert run.result == list(range(8))
    assert max(bench.tally.read().values()) <= 2
