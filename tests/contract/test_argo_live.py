"""What pods print, and how far they are, is known while they run: at Argo, and from here."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest

from sciflow.executors.argo.naming import dns_name
from tests.contract.argo_ops import talk
from tests.contract.argo_place import settle_at_argo
from tests.contract.test_argo_leaving import until
from tests.services.kubernetes.service import Kubernetes


@pytest.mark.kubernetes
@pytest.mark.timeout(600)
def test_what_running_pods_print_and_how_far_they_are_is_seen_here_and_at_argo(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="live")
    run = talk.submit(["a", "b", "c"], on="argo")
    until(lambda: len(run.tasks()) > 0 and "alone says 2" in run.logs("alone"))
    assert run.phase == "Running"
    assert "b says" not in run.logs("many/2")  # another pod's

    lines = run.follow()
    seen = list(takewhile(lambda line: (line.who, line.text) != ("many, pod 0", "b says 2"), lines))
    assert ("alone", "alone says 0") in seen
    assert ("many, pod 1", "c says 2") in seen

    at_argo = ("kubectl", "-n", kubernetes.namespace, "get", "workflow", dns_name(run.id), "-o")
    told = kubernetes.run(*at_argo, "jsonpath={range .status.nodes.*}{.displayName} {.progress}{'\\n'}{end}")
    progress = dict(line.rsplit(" ", 1) for line in told.splitlines())
    assert progress["alone(0)"].endswith("/20")
    assert progress["many(0:0)(0)"] == "1/2"
    log = (
        "kubectl",
        "-n",
        kubernetes.namespace,
        "logs",
        "-c",
        "main",
        "-l",
        f"workflows.argoproj.io/workflow={dns_name(run.id)}",
    )
    assert "b says 2" in kubernetes.run(*log, "--tail=-1")

    messages = {step.message for picture in run.watch() for step in picture.steps}
    assert any(message.startswith("alone: 1") and message.endswith("/20") for message in messages), messages
    assert any(message in ("many: 2/3 in 2 pods", "many: 1/2") for message in messages), messages
    assert run.result == ["alone", "a", "b", "c"]
    assert list(run.follow()) == []
    said = kubernetes.run(*at_argo, "jsonpath={.status.nodes.*.message}")
    assert "main: Error (exit code 10): stumble/1: ValueError: 1 is too much (and 1 more of 3 tasks)" in said
