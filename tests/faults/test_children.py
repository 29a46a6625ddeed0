"""Processes that an op starts: they end with it, whatever it and they do."""

from __future__ import annotations

import time

import pytest

from tests.faults.harness import NEEDS_LINUX, Bench, eventually
from tests.faults.programs import trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

ALL = {"fork bomb": 80, "sessions of their own": 8, "daemon by a double fork": 6}  # processes of two ops, more than
KINDS = list(ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_children_that_an_op_leaves_behind_end_with_it(kind: str, bench: Bench) -> None:
    run = trouble.parents.options(workers=1).run(xs=[0, 1, 2, 3], kind=kind, then="return")
    assert run.result == [0, 1, 2, 3]
    assert bench.processes.gone(1.0), bench.processes.all()


@pytest.mark.parametrize("kind", KINDS)
def test_children_that_ignore_sigterm_end_with_an_op_that_runs_out_of_time(kind: str, bench: Bench) -> None:
    began = time.monotonic()
    run = trouble.parents.run(xs=[0, 1], kind=kind, then="hang")
    assert run.result == [None, 1]
    assert time.monotonic() - began < 60
    (error,) = run.errors
    assert "time limit of 4 s" in error.message
    assert bench.processes.gone(1.0), bench.processes.all()


@pytest.mark.parametrize("kind", KINDS)
def test_children_of_an_op_whose_process_dies_end_with_it(kind: str, bench: Bench) -> None:
    run = trouble.parents.run(xs=[0, 1], kind=kind, then="die")
    assert run.result == [None, 1]
    assert bench.processes.gone(1.0), bench.processes.all()


def test_an_op_whose_process_dies_is_noticed_though_its_children_live_on(bench: Bench) -> None:
    began = time.monotonic()
    run = trouble.forsake.run(xs=[0, 1, 2])
    assert run.result == [None, 1, 2]
    assert time.monotonic() - began < 10
    assert "SIGSEGV" in run.errors[0].message
    assert bench.processes.gone(1.0), bench.processes.all()


def test_children_end_with_a_run_that_is_terminated(bench: Bench) -> None:
    run = trouble.parents_without_end.submit(xs=[0, 2], kind="fork bomb")
    assert eventually(lambda: len(bench.processes.all()) > 80)
    run.cancel()
    assert run.wait(timeout_s=20) == "Failed"
    assert bench.processes.gone(5.0), bench.processes.all()


@pytest.mark.parametrize("kind", KINDS)
def test_children_end_when_the_engine_is_killed(kind: str, bench: Bench) -> None:
    run = trouble.parents_without_end.submit(xs=[0, 2], kind=kind)
    assert eventually(lambda: len(bench.processes.all()) > ALL[kind]), bench.processes.all()
    for engine in bench.processes.engines():
        engine.kill()
    assert bench.processes.gone(5.0), bench.processes.all()
    assert run.phase == "Error"


def test_children_in_sessions_of_their_own_end_when_a_killed_run_is_resumed(bench: Bench) -> None:
    run = trouble.parents_without_end.submit(xs=[0, 2], kind="sessions of their own")
    assert eventually(lambda: len(bench.processes.all()) >= 9)
    before = {process.pid for process in bench.processes.all()}
    for engine in bench.processes.engines():
        engine.kill()
    run.resume()
    assert eventually(lambda: not before & {process.pid for process in bench.processes.all()}), bench.processes.all()
    run.cancel()
    assert run.wait(timeout_s=20) == "Failed"
