"""Memory is counted by Kubernetes; a task that runs out of its pod's fails alone, and is told what to ask for."""

from __future__ import annotations

import pytest

from tests.faults.cluster import PATIENCE_S
from tests.faults.harness import eventually
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


def test_tasks_for_which_the_nodes_have_no_memory_left_wait_until_others_have_ended(pods: Pods) -> None:
    asked = ("kubectl", "get", "nodes", "-o", "jsonpath={.items[0].status.allocatable.memory}")
    kib = pods.kubernetes.run(*asked).removesuffix("Ki")
    pods.patch.setenv("MEMORY_MB", str(int(0.4 * int(kib) * 1024 / 1e6)))
    run = podded.heavily.submit([0, 1, 2])
    assert pods.began(2)
    assert eventually(lambda: "Insufficient memory" in pods.messages(run), timeout_s=PATIENCE_S, pause_s=0.3)
    assert pods.notes("began").total() == 2
    pods.sign("go on")
    assert ends(run) == "Succeeded"
    assert run.result == [0, 1, 2]
