"""Jobs on a cluster that end by no doing of their own: on order, by an operator, with their node, without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import sciflow
from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log, kill_engines, says
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.programs import jobs
from tests.faults.test_interruption import CTRL_C, Terminal
from tests.services import instances
from tests.services.sshd import SshdService

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]


def test_a_run_that_is_cancelled_ends_its_jobs_on_the_cluster_and_can_be_taken_up_again(cluster: Cluster) -> None:
    cluster.settings(throttle=3)
    run = jobs.patiently.submit(xs=list(range(6)))
    assert cluster.began(3)
    run.cancel()
    assert cluster.is_empty(), cluster.queue()
    assert ends(run) == "Failed"
    assert cluster.bench.processes.gone(), cluster.bench.processes.all()
    cluster.sign("go on")
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102, 103, 104, 105]


def test_ctrl_c_once_lets_jobs_that_run_go_on_and_resuming_collects_them(cluster: Cluster) -> None:
    program = Path(sys.executable).with_name("sciflow")
    target = "tests.faults.programs.jobs:patiently"
    terminal = Terminal([str(program), "run", target, "--xs", "[0,1,2]"], cluster.bench.folder)
    try:
        assert terminal.until(lambda: cluster.notes("began").total() == 3, PATIENCE_S), terminal.shown
        terminal.type(CTRL_C)
        assert terminal.exit_code(PATIENCE_S) == 130, terminal.shown
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
    assert len(cluster.queue()) == 3
    cluster.sign("go on")
    run = sciflow.open_run("last")
    assert run.resume() == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102]
    assert set(cluster.notes("began").values()) == {1}


def test_an_engine_that_is_terminated_leaves_its_jobs_to_the_next_one(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3)
    for engine in cluster.bench.processes.engines():
        engine.kill(signal.SIGTERM)
    assert cluster.bench.processes.gone()
    assert len(cluster.queue()) == 3
    cluster.sign("go on")
    assert cluster.is_empty()
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102]
    assert set(cluster.notes("began").values()) == {1}


def test_jobs_that_end_while_the_laptop_is_closed_are_collected_without_another_submission(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3)
    kill_engines(cluster.bench)
    cluster.sign("go on")
    assert cluster.is_empty()
    before = cluster.jobs(run)
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102]
    assert cluster.jobs(run) == before
    assert set(cluster.notes("began").values()) == {1}


def test_an_element_that_an_operator_cancels_is_named_so_and_not_tried_again(cluster: Cluster) -> None:
    run = jobs.steadfastly.submit(xs=[0, 1, 2])
    assert cluster.began(3)
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scancel", f"{job}_1")
    assert eventually(lambda: f"{job}_1" not in str(cluster.queue()), timeout_s=PATIENCE_S, pause_s=0.2)
    cluster.sign("go on")
    assert ends(run) == "Failed", run.report() + engine_log(run)
    failed = run.failed_tasks()
    assert [task.path for task in failed] == ["steadfast/1"]
    assert failed[0].phase == "Error"
    assert failed[0].error is not None
    assert "cancelled outside of the run" in failed[0].error.message
    assert [task.attempt for task in run.tasks("steadfast")] == [1, 1, 1]
    assert cluster.jobs(run) == [job]


def test_a_whole_array_that_an_operator_cancels_is_named_so_and_not_submitted_again(cluster: Cluster) -> None:
    cluster.settings(throttle=2)
    run = jobs.steadfastly.submit(xs=[0, 1, 2, 3])
    assert cluster.began(2)
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scancel", job)
    assert ends(run) == "Failed", run.report() + engine_log(run)
    failed = run.failed_tasks()
    assert [task.phase for task in failed] == ["Error"] * 4
    assert all("cancelled outside of the run" in task.error.message for task in failed if task.error)
    assert cluster.jobs(run) == [job]
    assert cluster.notes("began").total() == 2


def test_a_host_is_not_asked_more_often_the_more_elements_die(cluster: Cluster) -> None:
    with instances.running(SshdService(env=cluster.slurm.env, options=("LogLevel VERBOSE",))) as server:

        def calls() -> int:
            logs = (server.folder / "log").glob("*.log")
            return sum(log.read_text(errors="replace").count("Starting session: command") for log in logs)

        replace(cluster, sshd=server).settings(look_least_s=1.0, look_most_s=1.0)
        cluster.slurm.drain()
        run = jobs.steadfastly.submit(xs=list(range(200)))
        assert says(run, "200 queued"), run.snapshot().message
        before = calls()
        assert before > 0
        cluster.slurm.run("scancel", *cluster.jobs(run))
        assert ends(run) == "Failed", run.report() + engine_log(run)
        assert len(run.failed_tasks()) == 200
        assert calls() - before < 100
        cluster.slurm.resume()


def test_all_tasks_of_an_element_that_an_operator_cancels_are_cancelled(cluster: Cluster) -> None:
    cluster.settings(elements=2)
    run = jobs.steadfastly.submit(xs=[0, 1, 2, 3])
    assert cluster.began(2)
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scancel", job)
    assert ends(run) == "Failed", run.report() + engine_log(run)
    assert cluster.jobs(run) == [job]
    assert cluster.notes("began").total() == 2


def test_a_job_whose_node_fails_is_queued_again_by_the_batch_system_and_goes_on(cluster: Cluster) -> None:
    cluster.settings(constraint="fast")
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    cluster.slurm.down("n1")
    cluster.slurm.resume("n1")
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]


def test_a_job_that_is_not_queued_again_when_its_node_fails_is_tried_again_with_the_node_named(
    cluster: Cluster,
) -> None:
    cluster.settings(extra=["--no-requeue"], constraint="fast")
    run = jobs.steadfastly.submit(xs=[0])
    assert cluster.began(1)
    cluster.slurm.down("n1")
    cluster.slurm.resume("n1")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    (task,) = run.tasks("steadfast")
    assert task.attempt == 2
    assert "node that it ran on failed" in cluster.attempts(run)[0]


def test_a_run_whose_nodes_are_drained_says_what_its_jobs_wait_for(cluster: Cluster) -> None:
    cluster.slurm.drain()
    run = jobs.patiently.submit(xs=[0, 1])
    cluster.sign("go on")
    assert says(run, "2 queued"), run.snapshot().message
    assert says(run, "Nodes required") or says(run, "Resources"), run.snapshot().message
    cluster.slurm.resume()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)


def test_a_job_that_vanishes_with_its_script_and_runner_is_noticed_and_tried_again(cluster: Cluster) -> None:
    cluster.settings(marks_patience_s=1000.0)  # what the batch system knows to have died is not looked for so long
    run = jobs.vanishingly.submit(x=1)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    (task,) = run.tasks("vanishing")
    assert task.attempt == 2
    assert cluster.notes("began") == {"vanishing 1": 1, "vanishing 2": 1}


def test_a_job_that_the_batch_system_warns_hands_back_what_it_has_and_is_queued_again(cluster: Cluster) -> None:
    run = jobs.with_warning.submit(x=1)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == 101
    assert [task.attempt for task in run.tasks("warned")] == [1]


def marks(cluster: Cluster, kind: str) -> int:
    return len(list(cluster.work_root.glob(f"runs/*/batches/*/{kind}/*")))


def test_an_engine_that_goes_on_hears_of_all_that_has_ended_however_much_that_has_printed(cluster: Cluster) -> None:
    run = jobs.talking.submit(names=["a", "b", "go on"])
    cluster.sign("a")
    cluster.sign("b")
    assert cluster.began(3)
    assert eventually(lambda: marks(cluster, "taken") == 2, timeout_s=PATIENCE_S), run.report()
    kill_engines(cluster.bench)
    for log in (run.folder / "logs").glob("cluster-*"):
        log.unlink()  # so that more has to come than one answer holds
    cluster.sign("go on")
    assert eventually(lambda: marks(cluster, "done") == 1)
    run.resume(detach=False)
    assert run.phase == "Succeeded", run.report() + engine_log(run)
    assert [len(run.logs(f"talkative/{i}")) > 10_000_000 for i in range(3)] == [True] * 3
    (stage,) = [json.loads(path.read_bytes())["stage"] for path in run.folder.glob("batches/*/record.json")]
    assert stage in {"over", "ended"}
