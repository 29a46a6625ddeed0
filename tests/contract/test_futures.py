"""What becomes of a run when something happens to its pool."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sciflow import InvalidWorkflow, Run, open_run
from sciflow.errors import ConfigError
from sciflow.executors.batch.record import Stage, is_open, read_records
from tests.contract.futures_ops import kill_worker_once, plus_one

PROCESSES = {
    "type": "futures",
    "factory": "concurrent.futures:ProcessPoolExecutor",
    "arguments": {"max_workers": 2},
}


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executors = {"pool": PROCESSES, "none": {"type": "futures", "factory": "concurrent.futures:NoSuchPool"}}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(executors))
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")


def test_a_worker_of_the_pool_that_dies_costs_an_attempt_and_the_pool_is_made_anew(tmp_path: Path) -> None:
    from sciflow import workflow

    @workflow
    def flow(mark: str, numbers: list[int]) -> list[int]:
        return kill_worker_once.options(executor="pool").partial(mark=mark).map(x=numbers)

    assert flow.run(str(tmp_path / "mark"), [0, 1, 2, 3, 4, 5]).result == [0, 1, 2, 3, 4, 5]


def run_before_its_pool(mark: Path, monkeypatch: pytest.MonkeyPatch) -> Run[list[int]]:
    """A run that waits for its pool, which takes tasks when the mark is there."""
    from sciflow import workflow

    factory = "tests.contract.reluctant_pool:Reluctant"
    executors = {"pool": {"type": "futures", "factory": factory, "arguments": {"mark": str(mark)}}}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(executors))

    @workflow
    def flow(numbers: list[int]) -> list[int]:
        return plus_one.options(executor="pool").map(x=numbers)

    run = flow.submit([0, 1, 2])
    limit = time.monotonic() + 30
    while "the cluster is down" not in run.snapshot().message:
        assert time.monotonic() < limit
        time.sleep(0.05)
    return run


def test_a_pool_that_takes_nothing_is_waited_for_and_nothing_counts_as_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_before_its_pool(tmp_path / "up", monkeypatch)
    assert {record.stage for record in read_records(run.folder, "pool")} == {Stage.SENT}
    (tmp_path / "up").touch()
    run.wait(60)
    assert run.result == [1, 2, 3]


def test_a_run_whose_engine_was_killed_can_be_cancelled_without_its_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_before_its_pool(tmp_path / "up", monkeypatch)
    os.kill(json.loads((run.folder / "engine.lock").read_text())["pid"], signal.SIGKILL)
    limit = time.monotonic() + 30
    while run.running:
        assert time.monotonic() < limit
        time.sleep(0.05)
    run.cancel()
    assert run.phase == "Failed"
    assert not is_open(run.folder)
    (tmp_path / "up").touch()
    assert run.retry(detach=False) == "Succeeded"
    assert run.result == [1, 2, 3]


def test_a_factory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[executors.none\]: factory = .*NoSuchPool.* is not to be had"):
        kill_worker_once.options(executor="none").run(str(tmp_path / "mark"), 0)


def test_a_factory_that_fails_is_told_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    none = {"type": "futures", "factory": "concurrent.futures:ThreadPoolExecutor", "arguments": {"wrkers": 1}}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"none": none}))
    said = r"\[executors.none\]: .* made no pool: TypeError: .*unexpected keyword argument 'wrkers'"
    with pytest.raises(ConfigError, match=said):
        plus_one.options(executor="none").run(0)
    run = open_run("last")
    assert run.phase == "Error"
    assert "made no pool" in run.snapshot().message
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"none": PROCESSES}))
    run.retry()
    assert run.result == 1


def test_a_pool_of_dask_without_dask_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = {"type": "futures", "factory": "sciflow.executors.futures.dask:pool"}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"none": none}))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidWorkflow, match=r"pip install 'sciflow-hpc\[dask\]'"):
        plus_one.options(executor="none").run(0)
    assert not (tmp_path / "runs").exists()


def test_an_image_is_refused_by_a_pool(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkflow, match="has no container engine"):
        kill_worker_once.options(executor="pool", image="some:1").run(str(tmp_path / "mark"), 0)


def test_a_pool_of_dask_serves_no_page_that_others_on_the_machine_could_look_at() -> None:
    distributed = pytest.importorskip("distributed", reason="no Dask: pip install 'sciflow-hpc[dask]'")
    from sciflow.executors.futures.dask import pool

    with pool(n_workers=1, processes=False) as executor:
        assert executor.submit(abs, -1).result() == 1
        port = distributed.default_client().cluster.scheduler.http_server.port
        for page in ("status", "info/main/workers.html", "json/counts.json", "health"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10)


def test_a_work_root_that_cannot_be_made_fails_the_tasks_that_are_for_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sciflow import workflow

    (tmp_path / "file").touch()
    executors = {"pool": {**PROCESSES, "work_root": str(tmp_path / "file" / "depot")}}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps(executors))

    @workflow
    def flow(numbers: list[int]) -> list[int]:
        return plus_one.options(executor="pool").map(x=numbers)

    run = flow.submit([0, 1])
    assert run.wait(60) == "Failed"
    assert {task.error.type for task in run.failed_tasks() if task.error} == {"sciflow:EnvironmentBroken"}
    (tmp_path / "file").unlink()
    run.retry()
    assert run.wait(60) == "Succeeded"
    assert run.result == [1, 2]
