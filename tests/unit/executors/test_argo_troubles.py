"""What is to be done about the words of Kubernetes, of a pod that does not start."""

from __future__ import annotations

import json
import shlex

import pytest

from sciflow import op, workflow
from sciflow.executors.argo.follow.losses import lost
from sciflow.executors.argo.follow.room import demand
from sciflow.executors.argo.follow.trouble import advice
from sciflow.executors.argo.follow.waiting import trouble_of
from sciflow.executors.argo.server.objects import PodEvent
from sciflow.executors.settings import ArgoSettings, parse_executor


def settings(**more: object) -> ArgoSettings:
    table = {"type": "argo", "server": "https://argo.example.org", "namespace": "research", "storage": "bucket"}
    found = parse_executor("argo", {**table, **more})
    assert isinstance(found, ArgoSettings)
    return found


@pytest.mark.parametrize(
    "said",
    [
        'MountVolume.SetUp failed for volume "exec-sa-token" : secret "runner.service-account-token" not found',
        "Unable to attach or mount volumes: unmounted volumes=[exec-sa-token]: context deadline exceeded",
    ],
)
def test_the_token_that_argos_containers_lack_is_made_by_the_command_that_is_told(said: str) -> None:
    event = PodEvent(type="Warning", reason="FailedMount", message=said, event_time="2026-11-22T10:00:00Z")
    told = advice(trouble_of([event]), settings(executor_account="runner"), table="[executors.argo]")
    assert "the token of the account runner" in told
    command = shlex.split(told[told.index("echo") :])
    assert command[2:] == ["|", "kubectl", "-n", "research", "apply", "-f", "-"]
    assert json.loads(command[1]) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "runner.service-account-token",
            "annotations": {"kubernetes.io/service-account.name": "runner"},
        },
    }


def test_a_quota_that_wants_all_containers_to_ask_is_helped_by_defaults_of_the_namespace() -> None:
    said = 'pods "squares-1" is forbidden: failed quota: cores: must specify requests.cpu for: bind; wait'
    assert "LimitRange" in advice(said, settings(), table="[executors.argo]")


def test_another_secret_that_is_missing_is_that_of_the_bucket() -> None:
    told = advice('CreateContainerConfigError: secret "s3" not found', settings(), table="[executors.argo]")
    assert "kubectl -n research create secret generic s3 --from-literal=key=..." in told


def test_who_asks_for_more_than_a_node_has_is_told_what_the_pod_asks_for() -> None:
    @op(cpus=2, memory_mb=500)
    def square(x: int) -> int:
        return x * x

    @workflow
    def inner(x: int) -> int:
        return square(x)

    @workflow
    def outer(xs: list[int]) -> list[int]:
        return inner.map(x=xs)

    asked = demand(outer.spec(), "inner/3/square")
    assert asked == "2 cores, 500 MB of memory"
    assert demand(outer.spec(), "on-exit") == ""
    said = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."
    told = advice(said, settings(), table="[executors.argo]", asked=asked)
    assert "2 cores, 500 MB of memory" in told
    assert "node_selector" not in told


def test_a_pod_whose_image_has_no_python_was_not_lost() -> None:
    error = lost('main: Error (exit code 64): failed to find name in PATH: exec: "python3": not found')
    assert error.type == "sciflow:PodNotStarted"
    assert error.message.startswith("its pod could not be started: its image has no python3")
    assert lost("pod deleted").message == "no word of it: pod deleted"
