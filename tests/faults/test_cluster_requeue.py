"""Jobs on a cluster that an operator queues again: what they were to do is done elsewhere; none stays in the queue."""

from __future__ import annotations

import pytest

import sciflow
from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.harness import sciflow as cli
from tests.faults.programs import jobs

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_job_that_an_operator_queues_again_and_holds_is_taken_out_of_the_queue(
    cluster: Cluster, names: list[str]
) -> None:
    run = jobs.awaiting.submit(names=names)
    assert cluster.began(len(names))
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scontrol", "requeuehold", f"{job}_0")
    assert cluster.began(len(names) + 1), cluster.queue()
    for name in names:
        cluster.sign(name)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert cluster.is_empty(), cluster.queue()
    assert cluster.notes("ended") == {f"awaited/{k} 1": 1 for k in range(len(names))}


def test_a_job_that_is_held_after_it_was_queued_again_is_taken_out_of_the_queue(cluster: Cluster) -> None:
    cluster.settings(workers=2)
    run = jobs.awaiting.submit(names=["a", "b", "c"])
    assert cluster.began(3)
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scontrol", "requeue", f"{job}_0")
    cluster.slurm.run("scontrol", "hold", f"{job}_0")
    assert cluster.began(5), cluster.queue()
    for name in "abc":
        cluster.sign(name)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert cluster.is_empty(), cluster.queue()


def queued(cluster: Cluster) -> set[str]:
    """The array jobs that Slurm lists."""
    return {line.partition("_")[0] for line in cluster.queue()}


def test_a_job_that_is_queued_again_long_after_it_has_ended_is_taken_out_of_the_queue(cluster: Cluster) -> None:
    run = jobs.in_two_submissions.submit(names=["a"], xs=[0])
    cluster.sign("a")
    assert cluster.began(2)
    assert eventually(lambda: len(cluster.queue()) == 1, timeout_s=PATIENCE_S, pause_s=0.2), cluster.queue()
    (ended,) = set(cluster.jobs(run)) - queued(cluster)
    cluster.slurm.run("scontrol", "requeuehold", ended)
    assert eventually(lambda: ended not in queued(cluster), timeout_s=PATIENCE_S, pause_s=0.2), cluster.queue()
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert cluster.notes("began").total() == 2


def queued_again(cluster: Cluster) -> sciflow.Run[list[int]]:
    """A run that has ended, and one of whose jobs an operator has queued again since."""
    cluster.sign("go on")
    run = jobs.patiently.submit(xs=[0, 1])
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert cluster.is_empty(), cluster.queue()
    cluster.slurm.run("scontrol", "requeuehold", f"{cluster.jobs(run)[0]}_1")
    assert len(cluster.queue()) == 1, cluster.queue()
    return run


def test_what_a_run_that_has_ended_still_has_in_the_queue_is_cancelled_when_its_files_are_removed(
    cluster: Cluster,
) -> None:
    queued_again(cluster)
    done = cli("clean", "--remote", "--yes", cwd=cluster.bench.folder)
    assert done.returncode == 0, done.stderr
    assert cluster.is_empty(), cluster.queue()
    assert list((cluster.work_root / "runs").iterdir()) == []
