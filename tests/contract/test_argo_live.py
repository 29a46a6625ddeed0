"""What pods print, and how far they are, is known while they run: at Argo, and from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow.executors.argo.manifest.naming import dns_name
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
    until(lambda: len(run.tasks()) > 0 and "alone says 2" in run.logs("alone"), patience_s=300)
    assert run.phase == "Running"
    assert "b says" not in run.logs("many/2")  # another pod's

    wanted = {("alone", "alone says 0"), ("many, pod 0", "b says 2"), ("many, pod 1", "c says 2")}
    seen = next(line for line in run.follow() if not (wanted := wanted - {(line.who, line.text)}))
    assert seen.text.endswith(("says 0", "says 2"))

    at_argo = ("kubectl", "-n", kubernetes.namespace, "get", "workflow", dns_name(run.id), "-o")
    jsonpath = "jsonpath={range .status.nodes.*}{.displayName} {.progress}{'\\n'}{end}"

    def progress() -> dict[str, str]:
        return dict(line.rsplit(" ", 1) for line in kubernetes.run(*at_argo, jsonpath).splitlines())

    until(lambda: progress()["many(0:0)(0)"] == "1/2")
    assert progress()["alone(0)"].endswith("/30")
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
    assert any(message.startswith("alone: ") and message.endswith("/30") for message in messages), messages
    assert any(message.startswith("many: ") for message in messages), messages
    assert run.result == ["alone", "a", "b", "c"]
    assert list(run.follow()) == []
    said = kubernetes.run(*at_argo, "jsonpath={.status.nodes.*.message}")
    assert "main: Error (exit code 10): stumble/1: ValueError: 1 is too much (and 1 more of 3 tasks)" in said
