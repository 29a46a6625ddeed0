"""Runs that are cancelled or stopped, with an engine at work and without: what becomes of their jobs on the cluster."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

import sciflow
from sciflow.errors import HostUnreachable, RunError
from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log, kill_engines, says
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.harness import sciflow as cli
from tests.faults.programs import jobs

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="sciflow-run-", dir="/tmp") as run:  # a socket's path must be short
        monkeypatch.setenv("XDG_RUNTIME_DIR", run)
        yield


def left_behind(cluster: Cluster, xs: int = 6) -> sciflow.Run[Any]:
    """A run of which three tasks run and the others wait, and whose engine was killed."""
    cluster.settings(throttle=3)
    run = jobs.patiently.submit(xs=list(range(xs)))
    assert cluster.began(3)
    kill_engines(cluster.bench)
    return run


def goes_on(cluster: Cluster, run: sciflow.Run[Any], count: int = 6) -> None:
    """The run ends well when it is taken up again."""
    cluster.sign("go on")
    run.retry(detach=False)
    assert run.phase == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100 + x for x in range(count)]


def test_a_run_whose_engine_was_killed_ends_its_jobs_on_the_cluster_when_it_is_cancelled(cluster: Cluster) -> None:
    run = left_behind(cluster)
    run.cancel()
    assert cluster.is_empty(), cluster.queue()
    assert run.phase == "Failed"
    assert "terminated" in run.snapshot().message
    goes_on(cluster, run)
    assert [task.attempt for task in run.tasks("patient")] == [1] * 6


def test_what_has_ended_by_the_time_a_run_without_an_engine_is_cancelled_is_not_run_again(cluster: Cluster) -> None:
    cluster.settings(look_least_s=100, look_most_s=100)
    run = jobs.awaiting.submit(names=["a", "b", "c"])
    assert cluster.began(3)
    kill_engines(cluster.bench)
    cluster.sign("a")
    cluster.sign("b")
    assert eventually(lambda: cluster.notes("ended").total() == 2, timeout_s=PATIENCE_S)
    run.cancel()
    assert cluster.is_empty(), cluster.queue()
    cluster.sign("c")
    cluster.settings()
    run.retry(detach=False)
    assert run.phase == "Succeeded", run.report() + engine_log(run)
    assert run.result == ["a", "b", "c"]
    assert cluster.notes("began") == {"awaited/0 1": 1, "awaited/1 1": 1, "awaited/2 1": 2}


def test_a_run_cannot_be_cancelled_while_its_jobs_cannot_be_and_is_not_written_down_as_ended(cluster: Cluster) -> None:
    run = left_behind(cluster)
    cluster.sshd.stop()
    try:
        with pytest.raises(HostUnreachable, match="could not be cancelled"):
            run.cancel()
        told = cli("cancel", run.folder, cwd=cluster.bench.folder)
        assert told.returncode != 0
        assert "do it again when it answers" in told.stderr
        assert "Traceback" not in told.stderr
    finally:
        cluster.sshd.start()
    assert run.phase == "Error"
    assert len(cluster.queue()) == 6
    assert cli("cancel", run.folder, cwd=cluster.bench.folder).returncode == 0
    assert run.phase == "Failed"
    assert cluster.is_empty(), cluster.queue()


def test_a_run_whose_jobs_are_where_no_setting_says_is_not_cancelled(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = left_behind(cluster)
    monkeypatch.delenv("SCIFLOW_EXECUTORS")
    monkeypatch.delenv("SCIFLOW_EXECUTOR")
    with pytest.raises(RunError, match="which the settings do not name"):
        run.cancel()
    assert run.phase == "Error"
    cluster.settings()
    run.cancel()
    assert run.phase == "Failed"
    assert cluster.is_empty(), cluster.queue()


def test_a_run_that_is_stopped_without_an_engine_lets_go_on_what_runs_and_takes_back_what_waits(
    cluster: Cluster,
) -> None:
    run = left_behind(cluster)
    run.stop()
    assert run.phase == "Failed"
    assert "stopped" in run.snapshot().message
    assert eventually(lambda: len(cluster.queue()) == 3, timeout_s=PATIENCE_S, pause_s=0.2), cluster.queue()
    cluster.sign("go on")
    assert cluster.is_empty(), cluster.queue()
    assert cluster.notes("ended").total() == 3
    goes_on(cluster, run)
    assert set(cluster.notes("began").values()) == {1}


def test_a_run_that_is_suspended_without_an_engine_begins_nothing_more_until_it_is_resumed(cluster: Cluster) -> None:
    run = left_behind(cluster)
    assert cli("suspend", run.folder, cwd=cluster.bench.folder).returncode == 0
    assert run.phase == "Suspended"
    assert run.snapshot().message == "the run was suspended"
    assert eventually(lambda: len(cluster.queue()) == 3, timeout_s=PATIENCE_S, pause_s=0.2), cluster.queue()
    cluster.sign("go on")
    assert cluster.is_empty(), cluster.queue()
    assert cluster.notes("ended").total() == 3
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100 + x for x in range(6)]
    assert set(cluster.notes("began").values()) == {1}


def test_jobs_that_a_run_has_left_when_it_was_stopped_can_be_cancelled(cluster: Cluster) -> None:
    run = left_behind(cluster)
    run.stop()
    assert cli("cancel", run.folder, cwd=cluster.bench.folder).returncode == 0
    assert cluster.is_empty(), cluster.queue()
    assert "stopped" in run.snapshot().message


def test_a_run_that_is_cancelled_as_soon_as_it_is_resumed_ends_the_jobs_of_its_last_engine(cluster: Cluster) -> None:
    run = left_behind(cluster)
    run.resume(detach=True)
    run.cancel()
    assert ends(run) == "Failed"
    assert cluster.bench.processes.gone(), cluster.bench.processes.all()
    assert cluster.is_empty(), cluster.queue()
    goes_on(cluster, run)


def test_a_run_that_is_stopped_as_soon_as_it_is_resumed_takes_back_what_its_last_engine_has_queued(
    cluster: Cluster,
) -> None:
    run = left_behind(cluster)
    run.resume(detach=True)
    run.stop()
    assert ends(run) == "Failed"
    assert len(cluster.queue()) <= 3, cluster.queue()
    cluster.sign("go on")
    assert cluster.is_empty(), cluster.queue()
    assert cluster.notes("ended").total() == 3
    goes_on(cluster, run)
    assert set(cluster.notes("began").values()) == {1}


def test_a_job_that_has_begun_since_the_last_look_at_the_queue_is_let_go_on_when_its_run_is_stopped(
    cluster: Cluster,
) -> None:
    cluster.settings(throttle=1, look_least_s=6, look_most_s=6)
    run = jobs.awaiting.submit(names=["a", "b", "c"])
    assert says(run, "2 queued, 1 running"), run.snapshot().message
    cluster.sign("a")
    assert cluster.began(2)
    run.stop()
    assert eventually(lambda: len(cluster.queue()) == 1, timeout_s=PATIENCE_S, pause_s=0.2), cluster.queue()
    cluster.sign("b")
    assert ends(run) == "Failed", run.report() + engine_log(run)
    assert [task.phase for task in run.tasks("awaited")] == ["Succeeded", "Succeeded"]
    assert cluster.notes("ended") == {"awaited/0 1": 1, "awaited/1 1": 1}


def test_a_job_that_is_queued_again_after_its_run_was_stopped_is_taken_back_and_no_failure(cluster: Cluster) -> None:
    run = jobs.awaiting.submit(names=["a", "b"])
    assert cluster.began(2)
    run.stop()
    (batch,) = (cluster.work_root / "runs" / run.id / "batches").iterdir()
    assert eventually((batch / "stop").exists, timeout_s=PATIENCE_S)
    cluster.slurm.drain()
    try:
        cluster.slurm.run("scontrol", "requeue", f"{cluster.jobs(run)[0]}_1")
        cluster.sign("a")
        assert ends(run) == "Failed", run.report() + engine_log(run)
        assert cluster.is_empty(), cluster.queue()
    finally:
        cluster.slurm.resume()
    assert [task.phase for task in run.tasks("awaited")] == ["Succeeded"]
    cluster.sign("b")
    run.retry(detach=False)
    assert run.phase == "Succeeded", run.report() + engine_log(run)
    assert [task.attempt for task in run.tasks("awaited")] == [1, 1]


def elements(run: sciflow.Run[Any]) -> int:
    """How many were handed over in all."""
    return sum(len(json.loads(path.read_bytes())["elements"]) for path in run.folder.glob("batches/*/record.json"))


@pytest.mark.parametrize("what", ["cpus", "gpus"])
def test_tasks_that_go_on_on_a_machine_without_a_batch_system_count_when_their_run_is_resumed(
    cluster: Cluster, what: str
) -> None:
    cluster.settings(system="shell", host="", ssh_config="", python=sys.executable, **{"cpus": 4, what: 2})
    program = jobs.awaiting if what == "cpus" else jobs.awaiting_with_gpu
    run = program.submit(names=["a", "b", "c", "d"])
    assert cluster.began(2)
    kill_engines(cluster.bench)
    before = elements(run)
    cluster.sign("a")
    run.detach()
    try:
        assert cluster.began(3), engine_log(run)
        assert eventually(lambda: run.tasks("awaited", phase="Succeeded"), timeout_s=PATIENCE_S), run.snapshot()
        assert (before, elements(run)) == (2, 3)  # the fourth is not handed over: "b" goes on
    finally:  # the tasks of such a machine end by nothing else
        for name in "bcd":
            cluster.sign(name)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == ["a", "b", "c", "d"]
    assert set(cluster.notes("began").values()) == {1}


def test_what_a_run_has_left_is_not_removed_while_its_jobs_are_at_work(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    kill_engines(cluster.bench)
    done = cli("clean", "--remote", "--yes", cwd=cluster.bench.folder)
    assert (done.returncode, "may still be queued or running" in done.stderr) == (1, True), done.stderr
    done = cli("clean", "--remote", "--discard", "--yes", cwd=cluster.bench.folder)
    assert (done.returncode, "jobs of this run are at work" in done.stderr) == (1, True), done.stderr
    cluster.sign("go on")
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}
    done = cli("clean", "--remote", "--yes", cwd=cluster.bench.folder)
    assert done.returncode == 0, done.stderr
    assert list((cluster.work_root / "runs").iterdir()) == []


@pytest.mark.parametrize("verb", ["resume", "cancel"])
def test_jobs_are_not_looked_for_at_another_place_than_they_went_to(cluster: Cluster, verb: str) -> None:
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    kill_engines(cluster.bench)
    elsewhere = cluster.bench.folder / "elsewhere"
    (elsewhere / "runs").mkdir(parents=True)
    cluster.settings(work_root=str(elsewhere))
    with pytest.raises(sciflow.SciflowError, match=r"jobs of this run are at slurm on .*/scratch"):
        getattr(run, verb)()
    assert len(cluster.queue()) == 2
    cluster.settings()
    cluster.sign("go on")
    run.resume()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert set(cluster.notes("began").values()) == {1}


def test_a_run_whose_executor_is_not_named_any_more_says_so_when_it_is_resumed(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0])
    assert cluster.began(1)
    kill_engines(cluster.bench)
    cluster.patch.setenv("SCIFLOW_EXECUTORS", "{}")
    with pytest.raises(sciflow.SciflowError, match=r"unknown executor 'cluster'"):
        run.resume()
    cluster.settings()
    cluster.sign("go on")
    run.resume()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
