"""A run on Argo that was begun on one machine is read, and gone on with, from others that have the same settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sciflow
from sciflow import Run, RunNotFound
from sciflow.executors.argo.manifest.naming import dns_name
from sciflow.runner.failures import CodecError
from tests.contract.argo_ops import naps
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes

pytestmark = pytest.mark.kubernetes
PATIENCE_S = 240.0


@pytest.fixture
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubernetes:
    """The cluster, at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="adoption")
    return kubernetes


def until(holds: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    limit = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.2)


def workflow(cluster: Kubernetes, verb: str, run: Run[Any], *more: str) -> str:
    return cluster.run("kubectl", verb, "workflow", dns_name(run.id), "-n", cluster.namespace, *more, check=False)


def command(*argv: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from sciflow.cli.main import main; main()", *argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen(run: Run[Any]) -> dict[str, tuple[object, ...]]:
    """What is told of each task."""
    return {
        task.path: (task.phase.value, task.attempt, task.error and (task.error.kind, task.error.message))
        for task in run.tasks()
    }


def has_begun(cluster: Kubernetes, run: Run[Any], node: str = "") -> bool:
    return node in workflow(cluster, "get", run, "-o", "jsonpath={.status.phase} {.status.nodes}") != ""


def adopted_in(folder: Path, run: Run[Any]) -> Run[Any]:
    return sciflow.adopt(run.id, on="argo", runs=folder)


@pytest.mark.timeout(900)
def test_a_run_is_seen_answered_retried_and_read_on_machines_that_have_neither_its_folder_nor_its_script(
    argo: Kubernetes, tmp_path: Path
) -> None:
    author = tmp_path / "author"
    author.mkdir()
    shutil.copy(Path(__file__).with_name("adopted_flow.py"), author / "flow.py")
    (author / "given.txt").write_text("given\n")
    command("submit", "flow.py:adopted", "--given", "given.txt", "--on", "argo", cwd=author)
    first: Run[Any] = sciflow.open_run("last")
    until(lambda: has_begun(argo, first))
    second = adopted_in(tmp_path / "second", first)
    shutil.rmtree(author)
    (tmp_path / "told.txt").write_text("told\n")
    assert first.wait(PATIENCE_S) == second.wait(PATIENCE_S) == "Suspended"
    assert second.waiting() == ["gate"]
    assert second.snapshot().message == first.snapshot().message
    assert second.running  # it looks on

    second.resume(tmp_path / "told.txt")
    assert second.wait(PATIENCE_S) == "Failed"
    assert adopted_in(tmp_path / "runs", first).wait(PATIENCE_S) == "Failed"  # the first looks again
    assert seen(first) == seen(second)
    assert seen(second)["part/1"][0] == "Failed"

    until(lambda: workflow(argo, "get", first, "-o", "jsonpath={.status.phase}") == "Failed")
    third = adopted_in(tmp_path / "third", first)
    assert third.wait(PATIENCE_S) == "Failed"
    assert seen(third) == seen(first)
    assert third.logs("part/1") == first.logs("part/1") != ""
    assert workflow(argo, "get", first, "-o", "jsonpath={.status.phase}") == "Failed"  # reading has revived nothing

    before = {task.path: task.started for task in third.tasks() if task.phase == "Succeeded"}
    third.retry()
    assert third.wait(PATIENCE_S) == "Succeeded", third.report()
    tree: Any = third.result_tree()
    assert Path(tree["v"]["given"]["path"]).read_text() == "given\n"
    assert Path(tree["v"]["told"]["path"]).read_text() == "told\n"
    with pytest.raises(CodecError, match="result_tree"):
        _ = third.result
    first.retry()
    for run in (first, adopted_in(tmp_path / "second", first)):
        assert run.wait(PATIENCE_S) == "Succeeded"
        assert {task.path: task.started for task in run.tasks() if task.path in before} == before
        assert seen(run) == seen(third)
    printed = third.logs("part/1")
    assert printed.index("part 1, attempt 1\n") < printed.index("part 1, attempt 2\n")

    until(lambda: workflow(argo, "get", first, "-o", "jsonpath={.status.phase}") == "Succeeded")
    newest = sciflow.list_runs(on="argo", runs=tmp_path / "third")
    assert [run.started for run in newest] == sorted((run.started for run in newest), reverse=True)
    told = next(run for run in newest if run.id == first.id)
    assert (told.name, told.phase, told.here) == ("adopted", "Succeeded", True)

    workflow(argo, "delete", first)
    fourth = adopted_in(tmp_path / "fourth", first)
    assert fourth.wait(PATIENCE_S) == "Succeeded"
    assert seen(fourth) == seen(third)
    again = fourth.resubmit()
    again.cancel()
    workflow(argo, "delete", again)
    with pytest.raises(RunNotFound, match="sciflow list --on argo"):
        sciflow.adopt("no-such-run", on="argo", runs=tmp_path / "fourth")


def test_a_run_that_is_terminated_on_one_machine_has_ended_so_on_all(argo: Kubernetes, tmp_path: Path) -> None:
    first = naps.submit(300.0, on="argo")
    until(lambda: has_begun(argo, first, "nap"))
    second = adopted_in(tmp_path / "second", first)
    until(lambda: any(step.running for step in second.snapshot().steps))
    second.cancel()
    assert first.wait(PATIENCE_S) == second.wait(PATIENCE_S) == "Failed"
    until(lambda: workflow(argo, "get", first, "-o", "jsonpath={.status.phase}") == "Failed")
    third = adopted_in(tmp_path / "third", first)
    assert third.wait(PATIENCE_S) == "Failed"
    for run in (first, second, third):
        assert run.snapshot().message == "the run was terminated"
        assert seen(run) == {"nap": ("Error", 1, ("cancelled", "the run was terminated"))}
    workflow(argo, "delete", first)
    fourth = adopted_in(tmp_path / "fourth", first)
    assert fourth.wait(PATIENCE_S) == "Failed"
    assert seen(fourth) == seen(first)
