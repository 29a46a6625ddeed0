"""An op that takes its process down with it: only the slice it was in fails, or is run again."""

from __future__ import annotations

import signal
from typing import Any

import pytest

import sciflow
from tests.faults.harness import NEEDS_LINUX, Bench, eventually
from tests.faults.programs import trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

ENDS = {
    "segmentation fault": "SIGSEGV",
    "SIGKILL": "SIGKILL",
    "abort": "SIGABRT",
    "os._exit": "exit code 3",
    "os._exit(0)": "exit code 0",
}
SIX = list(range(6))


def _assert_that_only_the_second_died(run: sciflow.Run[Any], bench: Bench, how: str) -> None:
    assert run.phase == "Failed"
    assert {task.slice: task.phase for task in run.tasks()} == {i: "Error" if i == 2 else "Succeeded" for i in SIX}
    assert set(bench.tally.read().values()) == {1}
    (error,) = run.errors
    assert error.kind == "died"
    assert ENDS[how] in error.message
    report = run.report()
    assert ENDS[how] in report
    assert f"about to end by {how}" in report, "the end of the log is missing"


@pytest.mark.parametrize("how", ENDS)
def test_an_op_that_kills_its_process_fails_alone_and_the_error_says_how_it_ended(how: str, bench: Bench) -> None:
    run = trouble.some_die.run(xs=SIX, how=how)
    _assert_that_only_the_second_died(run, bench, how)


@pytest.mark.parametrize("how", ["segmentation fault", "os._exit"])
def test_a_process_of_its_own_that_dies_fails_alone_too(how: str, bench: Bench) -> None:
    run = trouble.some_die_apart.run(xs=SIX, how=how)
    _assert_that_only_the_second_died(run, bench, how)


@pytest.mark.parametrize("how", ENDS)
def test_an_op_that_kills_its_process_is_tried_again_and_the_others_are_not(how: str, bench: Bench) -> None:
    run = trouble.some_rise.run(xs=SIX, how=how)
    assert run.result == SIX
    assert {task.slice: task.attempt for task in run.tasks()} == {i: 2 if i == 2 else 1 for i in SIX}
    assert {path: n for path, n in bench.tally.read().items() if n > 1} == {"risen/2": 2}


def test_an_op_that_closes_every_descriptor_fails_alone(bench: Bench) -> None:
    run = trouble.some_die.run(xs=SIX, how="closing every descriptor")
    assert {task.slice for task in run.tasks() if task.phase != "Succeeded"} == {2}
    assert "closed" in run.errors[0].message


def test_an_op_that_wants_more_memory_than_the_limit_fails_alone(bench: Bench) -> None:
    text = """
import resource
from tests.faults.programs import trouble
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
run = trouble.one_is_greedy.run(xs=[0, 1, 2, 3])
print([task.phase.value for task in run.tasks()])
print(run.report())
"""
    done = bench.script(text)
    assert "['Succeeded', 'Succeeded', 'Failed', 'Succeeded']" in done.stdout, done.stderr
    assert "MemoryError" in done.stdout


def test_a_worker_that_is_killed_between_two_tasks_costs_nothing(bench: Bench) -> None:
    run = trouble.long_and_short.submit()
    note = bench.folder / "worker-of-0"
    assert eventually(lambda: any(task.phase.ended for task in run.tasks()))
    idle = next(worker for worker in bench.processes.workers() if worker.pid == int(note.read_text()))
    idle.kill()
    assert run.result == 1
    assert {task.attempt for task in run.tasks()} == {1}


def test_workers_that_are_killed_in_the_middle_fail_only_what_they_were_doing(bench: Bench) -> None:
    run = trouble.slowly.submit(xs=SIX, seconds=0.4)
    assert eventually(lambda: bench.tally.read().total() == 2)
    for worker in bench.processes.workers():
        worker.kill()
    run.wait()
    phases = {task.slice: task.phase for task in run.tasks()}
    assert phases == {i: "Error" if i < 2 else "Succeeded" for i in SIX}
    assert all("SIGKILL" in error.message for error in run.errors)
    assert "began " in run.report()
    run.retry()
    assert run.result == SIX
    assert {path for path, n in bench.tally.read().items() if n > 1} == {"slow/0", "slow/1"}


def test_a_worker_that_would_not_end_by_itself_is_ended_with_the_run(bench: Bench) -> None:
    run = trouble.stay_on.submit(xs=SIX)
    assert run.wait(timeout_s=20) == "Succeeded"
    assert bench.processes.gone(2.0), "a worker hangs in its shutdown"


def test_a_script_that_ignores_the_ends_of_its_children_may_run_workflows(bench: Bench) -> None:
    text = """
import signal
from tests.faults.programs import trouble
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(trouble.some_rise.run(xs=[0, 1, 2, 3], how="SIGKILL").result)
"""
    done = bench.script(text)
    assert done.stdout == "[0, 1, 2, 3]\n", done.stderr


def test_a_stopped_worker_is_killed_when_its_time_is_over(bench: Bench) -> None:
    run = trouble.slowly.options(timeout_s=2).submit(xs=[0, 1], seconds=0.5)
    assert eventually(lambda: bench.tally.read().total() == 2)
    for worker in bench.processes.workers():
        worker.kill(signal.SIGSTOP)
    assert run.wait(timeout_s=20) == "Failed"
    assert "time limit" in run.report()
