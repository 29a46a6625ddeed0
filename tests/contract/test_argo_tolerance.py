"""What comes after fans of which some slices failed, and what exit handlers are told, is on Argo what it is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract import tolerant_flow as flow
from tests.contract.argo_place import settle_at_argo
from tests.contract.test_argo_random_programs import compare
from tests.services.kubernetes.service import Kubernetes

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="tolerance", parallelism=6)


def test_a_failure_that_is_put_up_with_in_a_workflow_keeps_nothing_after_it_from_running() -> None:
    compare(flow.tolerant, 1)


@pytest.mark.parametrize("workflow", [flow.put_up_with, flow.without_result], ids=lambda workflow: workflow.__name__)
def test_an_exit_handler_is_told_what_the_run_comes_to_also_where_argo_sees_another_end(workflow: Any) -> None:
    compare(workflow, 1)
