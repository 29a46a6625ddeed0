"""Runs on a cluster that has no server of Argo: through Kubernetes itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.argo_ops import asks_and_stumbles
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes


@pytest.mark.kubernetes
def test_a_run_without_argos_server_takes_an_answer_and_is_retried_without_asking_again(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry submits the workflow anew: what has ended, an answer too, is taken from the bucket."""
    directly = {"server": None, "token": None, "kubeconfig": str(kubernetes.kubeconfig)}
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="kubeconfig", **directly)
    run = asks_and_stumbles.submit(on="argo")
    assert run.wait(120) == "Suspended"
    run.resume(7)
    assert run.wait(240) == "Failed"
    assert [task.path for task in run.failed_tasks()] == ["second_time"]
    run.retry()
    assert run.wait(240) == "Succeeded"
    assert run.result == 7
