"""Conditions and counts on Argo: worked out without a pod where the numbers can be told, by a pod where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sciflow.executors.argo.manifest.naming import dns_name
from tests.contract.argo_place import settle_at_argo
from tests.contract.counting_flow import counted
from tests.services.kubernetes.service import Kubernetes

pytestmark = pytest.mark.kubernetes


@pytest.fixture(autouse=True)
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="plans")


def test_a_pod_plans_what_rests_on_a_number_that_argo_cannot_take(kubernetes: Kubernetes) -> None:
    run = counted.run(3, on="argo")
    assert run.result == "9 None [0, 1, 2] 0"
    kept = kubernetes.run("kubectl", "get", "workflow", dns_name(run.id), "-n", kubernetes.namespace, "-o", "json")
    nodes = json.loads(kept)["status"]["nodes"].values()
    pods = [node["displayName"].partition("(")[0] for node in nodes if node["type"] == "Pod"]
    assert " ".join(sorted(pods)) == "above above-plan end fan fan fan large listed never-plan small"
