"""The report of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from sciflow.core.records import Phase
from sciflow.view.report import Failure, Troubles, report
from tests.unit.view.examples import RUN, SCF, failed, troubles

Golden = Callable[[str, str], None]


def test_root_causes_come_first_then_what_they_kept_from_running_then_what_to_do(golden: Golden) -> None:
    golden("report.txt", report(troubles()) + "\n")


def test_the_cause_stands_in_the_first_lines() -> None:
    first, _, cause, *_ = report(troubles()).splitlines()
    assert first == "eos failed after 1 min 15 s: 22 failed tasks, 2 omitted"
    assert cause == "energy/3 failed (attempt 2): SCFError: no convergence in 100 steps"


def test_only_the_last_lines_of_a_log_are_shown() -> None:
    text = report(troubles())
    assert "step 100 " in text
    assert "step  81 " in text
    assert "step  80 " not in text


def test_a_log_cannot_steer_the_terminal() -> None:
    log = "\x1b[31mred\x1b[0m \x1b]0;title\x07plain\x00\x08\rnext"
    text = report(of([Failure(task=failed(1), log=log)]))
    assert "red plain\n" in text
    assert "\x1b" not in text


def test_a_node_that_failed_because_of_something_inside_it_is_no_root_cause() -> None:
    outer = failed(0, path="relax", node="relax", slice=None)
    inner = failed(0, path="relax/energy/0")
    text = report(of([Failure(task=outer), Failure(task=inner)]))
    assert text.startswith("eos failed after 1.0 s: 1 failed task\n")
    assert "relax failed" not in text


def test_a_run_that_was_stopped_is_to_be_resumed() -> None:
    stopped = Troubles(run_id=RUN, name="eos", phase=Phase.RUNNING, seconds=3, folder=Path("x"), message="interrupted")
    assert f"sciflow resume {RUN}" in report(stopped)
    assert "(interrupted)" in report(stopped).splitlines()[0]


def test_a_run_that_succeeded_is_told_of_by_its_flags_and_nothing_is_left_to_do() -> None:
    flagged = [failed(n, phase=Phase.SUCCEEDED, error=None, flag="not converged") for n in (3, 4)]
    done = Troubles(run_id=RUN, name="eos", phase=Phase.SUCCEEDED, seconds=3, folder=Path("x"), flagged=flagged)
    assert report(done).splitlines() == [
        "eos succeeded after 3.0 s: 2 flagged",
        "",
        "energy/3, energy/4: flagged: not converged",
        "",
        "folder:  x",
    ]


def test_a_message_that_the_heading_cuts_stands_below_in_whole() -> None:
    lines, long = "first\nsecond line\n  third", "no convergence; " * 20 + "raise max_steps"
    for message in (lines, long):
        text = report(of([Failure(task=failed(1, msgspec.structs.replace(SCF, message=message)))]))
        assert text.count("    message:\n") == 1
        assert all(line in text for line in message.splitlines())
    assert "message:" not in report(troubles())


def test_many_different_failures_are_cut_and_the_rest_is_named() -> None:
    errors = [msgspec.structs.replace(SCF, message=f"reason {n}") for n in range(9)]
    text = report(of([Failure(task=failed(n, error)) for n, error in enumerate(errors)]))
    assert text.count("SCFError: reason") == 5
    assert "and 4 more failed tasks: energy/5, energy/6, energy/7, energy/8" in text
    assert f"sciflow table {RUN}" in text


def of(failures: list[Failure]) -> Troubles:
    return Troubles(run_id=RUN, name="eos", phase=Phase.FAILED, seconds=1, folder=Path("x"), failures=failures)
