"""A task that runs out of its pod's memory fails alone, and is told what to ask for."""

from __future__ import annotations

import pytest

from tests.faults.pods import SLOW, Pods, ends
from tests.faults.programs import podded

pytestmark = [pytest.mark.faults, pytest.mark.kubernetes, pytest.mark.timeout(900, func_only=True), SLOW]


def test_a_task_that_runs_out_of_memory_fails_alone_and_is_not_tried_again(pods: Pods) -> None:
    run = podded.greedily.submit([0, 1, 2])
    assert ends(run) == "Failed"
    (failed,) = run.failed_tasks()
    assert failed.path == "greedy/1"
    assert failed.error.kind == "limit"
    assert failed.error.type == "sciflow:OutOfMemory"
    assert "the memory of 200 MB" in failed.error.message
    assert pods.notes("began") == {f"greedy/{i} 1": 1 for i in range(3)}
    assert set(pods.notes("ended")) == {f"greedy/{i} 1" for i in range(3)}
    assert pods.becomes(run, "Failed")
