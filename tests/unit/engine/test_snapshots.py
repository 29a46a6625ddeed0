"""Pictures of a run at work."""

from __future__ import annotations

import pytest

from sciflow.core.records import Phase
from sciflow.engine.activation import StepCount
from sciflow.engine.snapshots import step_progress


def test_what_is_left_is_told_from_the_pace_of_this_session_alone() -> None:
    step = StepCount("energy", total=100, counted=True, done=60, cached=30, earlier=20, started=5.0)
    assert step_progress(step, 25.0, "").remaining_s == pytest.approx(20.0 / 10 * 40)


def test_a_session_that_has_computed_nothing_yet_tells_no_time() -> None:
    step = StepCount("energy", total=100, counted=True, done=60, cached=30, earlier=30, started=5.0)
    assert step_progress(step, 25.0, "").remaining_s is None


def test_tasks_that_were_handed_over_and_have_not_begun_do_not_run() -> None:
    step = StepCount("energy", total=20, counted=True, running=20)
    told = step_progress(step, 1.0, "", held=20)
    assert (told.phase, told.running) == (Phase.PENDING, 0)
    assert step_progress(step, 1.0, "", held=5).running == 15


def test_the_time_of_a_step_whose_end_is_heard_of_late_is_that_of_its_tasks() -> None:
    step = StepCount("energy", total=2, counted=True, done=2, started=500.0)  # as its engine hands it out
    for started, seconds in ((1_000.0, 4.0), (1_002.0, 5.0)):
        step.hear(-700.0, started, seconds)
    assert step_progress(step, 600.0, "").elapsed_s == pytest.approx(7.0)
