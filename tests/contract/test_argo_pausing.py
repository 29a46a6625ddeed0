"""A run on Argo that is paused, and goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sciflow.executors.argo.manifest.naming import dns_name
from tests.contract.argo_ops import asks_and_naps
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes


def until(holds: Callable[[], bool], *, patience_s: float = 120.0) -> None:
    limit = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.2)


@pytest.mark.kubernetes
def test_a_run_that_was_paused_while_it_waited_for_an_answer_goes_on_with_it(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argo's server has a paused workflow go on only by letting all its suspended nodes go."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="pausing")
    run = asks_and_naps.submit(5.0, on="argo")

    def there(what: str) -> str:
        asked = ("kubectl", "get", "workflow", dns_name(run.id), "-n", kubernetes.namespace)
        return kubernetes.run(*asked, "-o", f"jsonpath={what}", check=False)

    until(lambda: "Suspend" in there("{.status.nodes.*.type}"))
    run.suspend()
    until(lambda: there("{.spec.suspend}") == "true")
    assert run.wait(240) == "Suspended"
    run.resume(7)
    assert run.wait(240) == "Succeeded"
    assert run.result == 7
