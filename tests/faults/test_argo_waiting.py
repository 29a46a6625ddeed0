"""Pods that cannot be started, or have no room: the run tells so in the words of Kubernetes, and what is to be done."""

from __future__ import annotations

import json

import pytest

from tests.faults.cluster import says
from tests.faults.pods import SLOW, Pods, ends
from tests.faults.programs import jobs, podded

pytestmark = [pytest.mark.faults, pytest.mark.kubernetes, pytest.mark.timeout(900, func_only=True), SLOW]


def test_an_image_that_does_not_exist_is_told_and_given_up_and_what_does_not_need_it_goes_on(pods: Pods) -> None:
    pods.settings(start_limit_s=60.0)
    run = podded.elsewhere.submit(3)
    assert says(run, "lost", "localhost/no-such-image:1", "fix:", "`image` in [executors.argo]")
    assert ends(run) == "Failed"
    assert [task.path for task in run.failed_tasks()] == ["lost"]
    assert "its pod could not be started" in run.report()
    assert "localhost/no-such-image:1" in run.report()
    assert set(pods.notes("ended")) == {"fine 1", "after 1"}
    assert pods.becomes(run, "Failed")


def test_a_base_image_or_a_secret_that_is_missing_is_told_as_kubernetes_tells_it(pods: Pods) -> None:
    pods.settings(start_limit_s=15.0, secret="no-such-secret")
    run = jobs.longer.submit([0.0])
    assert says(run, "long", 'secret "no-such-secret" not found', "kubectl -n argo create secret")
    assert ends(run) == "Failed"
    pods.settings(start_limit_s=15.0, base_image="localhost/no-base:1")
    run = jobs.longer.submit([0.0])
    assert says(run, "long", "localhost/no-base:1", "`base_image`")
    assert ends(run) == "Failed"


def test_the_token_that_argos_containers_lack_is_told_with_the_command_that_makes_it(pods: Pods) -> None:
    account = ("serviceaccount", "lonely", "-n", "argo")
    pods.kubernetes.run("kubectl", "create", *account)
    try:
        pods.settings(executor_account="lonely")
        run = jobs.longer.submit([0.0])
        assert says(run, "the token of the account lonely", '"name": "lonely.service-account-token"', "apply -f -")
        run.cancel()
        assert ends(run) == "Failed"
    finally:
        pods.kubernetes.run("kubectl", "delete", *account, "--ignore-not-found")


def test_pods_for_which_no_node_has_room_wait_and_the_run_says_why(pods: Pods) -> None:
    pods.settings(node_selector={"kubernetes.io/hostname": "nowhere"}, start_limit_s=5.0)
    run = jobs.fan.submit([1, 2, 3])
    assert says(run, "square (3 pods): Unschedulable", "`node_selector`")
    run.cancel()
    assert ends(run) == "Failed"
    assert pods.becomes(run, "Failed")


QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "none-of-ours"},
    "spec": {
        "hard": {"pods": "0"},
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["ours"]}]},
    },
}
OURS = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "ours"},
    "value": 0,
}


def test_pods_wait_for_room_in_a_quota_and_the_run_goes_on_when_there_is(pods: Pods) -> None:
    cluster = pods.kubernetes
    cluster.run("kubectl", "apply", "-n", "argo", "-f", "-", stdin=json.dumps(OURS))
    cluster.run("kubectl", "apply", "-n", "argo", "-f", "-", stdin=json.dumps(QUOTA))
    try:
        pods.settings(priority_class="ours")
        run = jobs.fan.submit([1, 2, 3])
        assert says(run, "square (3 pods): exceeded quota: none-of-ours", "limited: pods=0", "fix:")
        cluster.run("kubectl", "delete", "quota", "none-of-ours", "-n", "argo")
        assert ends(run) == "Succeeded"
    finally:
        cluster.run("kubectl", "delete", "quota/none-of-ours", "-n", "argo", "--ignore-not-found")
        cluster.run("kubectl", "delete", "priorityclass", "ours")
    assert run.result == 14
    assert set(pods.notes("began").values()) == {1}
