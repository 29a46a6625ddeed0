"""Parts of Kubernetes and Argo die while runs go on: nothing is lost, and what has finished is not run again.

All but the first takes long: SCIFLOW_TEST_SLOW=1 asks for it. SCIFLOW_TEST_KILLS sets how often engines are killed.
"""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest

from sciflow.executors.argo.manifest.naming import workflow_name
from tests.faults.cluster import PATIENCE_S, is_over, says
from tests.faults.harness import eventually
from tests.faults.pods import SLOW, Pods, ends
from tests.faults.programs import jobs, podded

KILLS = int(os.environ.get("SCIFLOW_TEST_KILLS", "8"))
pytestmark = [pytest.mark.faults, pytest.mark.kubernetes, pytest.mark.timeout(900, func_only=True)]


def test_of_a_pod_that_is_deleted_while_the_controller_is_away_only_unfinished_slices_run_again(pods: Pods) -> None:
    run = podded.halting_fan.submit(list(range(6)))
    assert pods.ended(4)
    assert pods.began(5)
    pod = pods.pod(run, "halting", chunk=1)
    with pods.kubernetes.without("workflow-controller"):
        pods.kubernetes.run("kubectl", "delete", "pod", pod, "-n", "argo")
        pods.sign("go on")
    assert ends(run) == "Succeeded"
    assert run.result == 55
    assert pods.becomes(run, "Succeeded")
    assert pods.notes("began") == {**{f"halting/{i} 1": 1 for i in range(6)}, "halting/4 1": 2, "total 1": 1}
    assert set(pods.notes("ended").values()) == {1}


@SLOW
def test_a_pod_that_is_replaced_gives_an_op_no_more_tries_than_it_has(pods: Pods) -> None:
    run = podded.second_times.submit([0, 1])
    assert pods.began(3)  # both have failed once
    pods.kubernetes.run("kubectl", "delete", "pod", pods.pod(run, "second_time"), "-n", "argo")
    assert pods.began(4)
    pods.sign("go on")
    assert ends(run) == "Failed"
    assert [task.path for task in run.failed_tasks()] == ["second_time/1"]
    again = {"second_time/0 2": 2, "second_time/1 2": 1}
    assert pods.notes("began") == {"second_time/0 1": 1, "second_time/1 1": 1, **again}


@SLOW
def test_a_workflow_that_is_deleted_while_it_runs_fails_the_run_and_a_retry_runs_nothing_twice(pods: Pods) -> None:
    run = podded.halting_fan.submit(list(range(6)))
    assert pods.ended(4)
    assert pods.began(5)
    pods.kubernetes.run("kubectl", "delete", "workflow", workflow_name(run.id), "-n", "argo")
    assert ends(run) == "Failed"
    assert {"halting/4", "halting/5"} <= {task.path for task in run.failed_tasks()}
    assert "somebody has removed it" in run.report()
    pods.sign("go on")
    run.retry()
    assert ends(run) == "Succeeded"
    assert run.result == 55
    assert {pods.notes("ended")[f"halting/{i} 1"] for i in range(3)} == {1}
    assert pods.notes("ended").total() <= 8  # the slice beside the one that waited may have been lost with its pod


@SLOW
def test_a_run_outlives_the_death_of_each_part_of_the_cluster(pods: Pods) -> None:
    with pods.kubernetes.without("argo-server"):
        run = podded.halting_fan.submit(list(range(6)))
        assert says(run, "waiting")
    assert pods.began(1)
    for part in ("kubelet", "workflow-controller", "argo-server", "s3"):
        with pods.kubernetes.without(part):
            time.sleep(3.0)
    pods.sign("go on")
    assert ends(run) == "Succeeded"
    assert run.result == 55
    assert pods.becomes(run, "Succeeded")
    assert set(pods.notes("began").values()) == set(pods.notes("ended").values()) == {1}


@SLOW
def test_what_pods_have_done_is_not_lost_when_the_bucket_is_away_while_they_begin_and_end(pods: Pods) -> None:
    run = podded.halting_fan.submit(list(range(6)))
    assert eventually(lambda: pods.phase(run) == "Running", timeout_s=PATIENCE_S, pause_s=0.2)
    with pods.kubernetes.without("s3"):
        time.sleep(15.0)
    assert pods.began(5)
    with pods.kubernetes.without("s3"):
        pods.sign("go on")
        assert pods.ended(6)
        assert says(run, "waiting")
        time.sleep(15.0)
    assert ends(run) == "Succeeded"
    assert run.result == 55
    assert set(pods.notes("began").values()) == set(pods.notes("ended").values()) == {1}


@SLOW
@pytest.mark.parametrize(
    ("workflow", "inputs"),
    [(jobs.fan_of_fans, list(range(2))), (jobs.retries, list(range(6))), (jobs.files, list(range(4)))],
    ids=["fan of fans", "retries", "files"],
)
def test_a_run_whose_engine_is_killed_again_and_again_runs_everything_once(
    workflow: Any, inputs: list[int], pods: Pods, record_property: Any
) -> None:
    expected = workflow.run(inputs, on="local").result
    dice, kills = random.Random(), 0
    run = workflow.submit(inputs)
    while kills < KILLS and not is_over(run):
        time.sleep(dice.choice((dice.uniform(0, 1), dice.uniform(0, 8))))
        if pods.bench.processes.engines():
            pods.kill_engines()
            kills += 1
        if not pods.bench.processes.engines() and not is_over(run):
            run.detach()
    if not pods.bench.processes.engines() and not is_over(run):
        run.resume()
    assert ends(run) == "Succeeded"
    assert run.result == expected
    assert pods.becomes(run, "Succeeded")
    assert set(pods.notes("began").values()) == set(pods.notes("ended").values()) == {1}
    record_property("kills", kills)
    print(f"{kills} kills")
