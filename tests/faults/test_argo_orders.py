"""What is ordered of a workflow, and refused or lost on its way: whoever asked is told, and what is told is so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sciflow.errors import RunError
from tests.faults.cluster import says
from tests.faults.harness import eventually
from tests.faults.pods import SLOW, Pods, ends
from tests.faults.programs import jobs, podded

pytestmark = [pytest.mark.faults, pytest.mark.kubernetes, pytest.mark.timeout(900, func_only=True), SLOW]


def account(*verbs: str) -> dict[str, object]:
    """An account that may do these things with workflows."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "faults"}}
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "faults"}
    who = [{"kind": "ServiceAccount", "name": "faults", "namespace": "argo"}]
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": list(verbs)}]
    items = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "faults"}},
        {**role, "kind": "Role", "rules": rules},
        {**role, "kind": "RoleBinding", "roleRef": of, "subjects": who},
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


@pytest.fixture
def onlooker(pods: Pods) -> Iterator[Pods]:
    """Runs are submitted by an account that may not change a workflow afterwards."""
    cluster = pods.kubernetes
    cluster.run("kubectl", "apply", "-n", "argo", "-f", "-", stdin=json.dumps(account("create", "get", "list")))
    pods.patch.setenv("TOKEN_OF_ARGO", cluster.run("kubectl", "create", "token", "faults", "-n", "argo"))
    yield pods
    cluster.run("kubectl", "delete", "-n", "argo", "serviceaccount/faults", "role/faults", "rolebinding/faults")


def test_whoever_cancels_or_suspends_a_run_and_may_not_hears_so_and_the_run_goes_on(onlooker: Pods) -> None:
    pods = onlooker
    run = jobs.patiently.submit([0, 1])
    assert pods.began(1)
    with pytest.raises(RunError, match=r"(?s)the run goes on: .*cannot (patch|update).*fix:.*account of `token`"):
        run.cancel()
    with pytest.raises(RunError, match=r"(?s)the run goes on: .*cannot (patch|update)"):
        run.suspend()
    assert run.phase == "Running"
    pods.sign("go on")
    assert ends(run) == "Succeeded"
    assert run.result == [100, 101]
    assert set(pods.notes("began").values()) == {1}


def test_a_cancel_while_the_server_is_away_is_done_when_it_is_back(pods: Pods) -> None:
    run = jobs.patiently.submit([0])
    assert pods.began(1)
    with pods.kubernetes.without("argo-server"):
        run.cancel()
        assert says(run, "waiting")
        assert run.phase == "Running"
    assert ends(run) == "Failed"
    assert pods.becomes(run, "Failed")
    assert not pods.notes("ended")


def test_an_answer_that_an_engine_has_taken_and_not_passed_on_reaches_argo_by_the_next_engine(pods: Pods) -> None:
    run = podded.asked_between.submit(3)
    assert eventually(lambda: run.phase == "Suspended", timeout_s=120, pause_s=0.2)
    with pods.kubernetes.without("argo-server"):
        run.resume(7, detach=True)  # somebody else may have given one: it does not hold before Argo's place has it
        assert says(run, "waiting")
        pods.kill_engines()
    run.resume(detach=True)
    assert ends(run) == "Succeeded"
    assert run.result == 9 + 49
    assert pods.becomes(run, "Succeeded")
    assert set(pods.notes("began").values()) == {1}
