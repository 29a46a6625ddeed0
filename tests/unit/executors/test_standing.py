"""What a queue says of a run's jobs is a line; where none waits there is none."""

from __future__ import annotations

from sciflow.executors.batch.standing import standing
from sciflow.executors.systems.system import JobState, State


def state(job, state, reason=""):
    return JobState(job=job, state=state, reason=reason)


def test_waiting_elements_are_counted_with_their_reasons():
    states = [state("1", State.QUEUED, "Priority"), state("1", State.QUEUED, "PENDING"), state("1", State.RUNNING)]
    others = [state("2", State.QUEUED, "Licenses"), state("1", State.HELD, "JobHeldUser")]
    told = standing("cluster", {"1"}, [*states, *others])
    assert told == "cluster: 2 queued, 1 held, 1 running (Priority, JobHeldUser)"


def test_what_only_runs_is_not_worth_a_line():
    assert standing("cluster", {"1"}, [state("1", State.RUNNING), state("2", State.QUEUED)]) == ""
