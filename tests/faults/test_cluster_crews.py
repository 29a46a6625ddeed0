"""Jobs that run several tasks at once, on a cluster."""

from __future__ import annotations

import re

import pytest

from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log, kill_engines
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.programs import jobs

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]


def asked(script: str) -> tuple[str, str]:
    """The elements of an array and the cores of each, by its directives."""
    found = [re.search(rf"^#SBATCH --{option}=(\S+)$", script, re.MULTILINE) for option in ("array", "cpus-per-task")]
    return tuple(match[1] if match else "" for match in found)  # type: ignore[return-value]


def test_a_job_runs_as_many_tasks_at_once_as_it_is_told_to(cluster: Cluster) -> None:
    cluster.settings(workers=3, throttle=1)
    run = jobs.patiently.submit(xs=list(range(5)))
    assert cluster.began(3)
    assert len([line for line in cluster.queue() if "RUNNING" in line]) == 1
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102, 103, 104]
    assert [asked(script) for script in cluster.scripts()] == [("0-1%1", "3")]
    assert set(cluster.notes("began").values()) == {1}


def test_slices_of_one_job_are_run_at_once_each_with_its_own_end_and_logs(cluster: Cluster) -> None:
    cluster.settings(workers=3)
    run = jobs.sometimes_killed.submit(xs=list(range(7)))
    assert ends(run) == "Failed"
    tasks = run.tasks("sometimes_killing")
    assert [task.phase.value for task in tasks] == ["Succeeded", "Error", "Succeeded"] + ["Succeeded"] * 4
    assert [run.logs(task.path).strip() for task in tasks] == [f"this is {x}" for x in range(7)]
    assert [asked(script) for script in cluster.scripts()] == [("0-0", "3")]  # one job of seven slices


def test_an_operator_who_cancels_a_job_cancels_the_tasks_that_it_runs(cluster: Cluster) -> None:
    cluster.settings(workers=2)
    run = jobs.patiently.submit(xs=list(range(4)))
    assert cluster.began(4)
    (job,) = cluster.jobs(run)
    cluster.slurm.run("scancel", f"{job}_1")
    assert eventually(lambda: not any(line.startswith(f"{job}_1 ") for line in cluster.queue()))
    cluster.sign("go on")
    assert ends(run) == "Failed", run.report() + engine_log(run)
    ended = [task.phase.value for task in run.tasks("patient")]
    assert sorted(ended[:2]) == ["Succeeded", "Succeeded"]
    assert all("cancelled" in (task.error.message if task.error else "") for task in run.tasks("patient")[2:])


def test_a_resumed_run_finds_the_tasks_of_its_jobs_though_it_would_make_others_now(cluster: Cluster) -> None:
    cluster.settings(workers=2)
    run = jobs.patiently.submit(xs=list(range(3)))
    assert cluster.began(3)
    kill_engines(cluster.bench)
    cluster.settings(workers=5)
    cluster.sign("go on")
    run.detach()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101, 102]
    assert set(cluster.notes("began").values()) == {1}
    assert len(cluster.submissions(run)) == 1


def most_at_once(cluster: Cluster) -> int:
    """Of the tasks, by the order of their notes."""
    most = now = 0
    for line in cluster.tally.read_text().splitlines():
        now += 1 if line.startswith("began") else -1
        most = max(most, now)
    return most


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fan_of_which_few_slices_may_run_at_once_is_one_array_and_retries_add_nothing_to_what_runs(
    cluster: Cluster, workers: int
) -> None:
    cluster.settings(workers=workers)
    run = jobs.few_at_once.submit(xs=list(range(8)))
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == list(range(8))
    first = cluster.scripts()[0]
    assert asked(first) == (("0-7%2", "1") if workers == 1 else ("0-3%1", "2"))
    assert most_at_once(cluster) == 2
    assert len(cluster.notes("began")) == 12


def test_a_fan_of_which_few_slices_may_run_at_once_keeps_to_that_when_it_is_resumed(cluster: Cluster) -> None:
    run = jobs.few_at_once.submit(xs=list(range(8)))
    assert cluster.began(3)
    kill_engines(cluster.bench)
    run.detach()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == list(range(8))
    assert most_at_once(cluster) <= 2


def test_a_fan_of_which_few_slices_may_run_at_once_leaves_room_in_the_queue_to_the_rest_of_the_run(
    cluster: Cluster,
) -> None:
    cluster.settings(elements=4)
    run = jobs.beside.submit(xs=list(range(8)))
    assert eventually(lambda: cluster.notes("ended").total() == 9, timeout_s=PATIENCE_S), cluster.notes("began")
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == 828 + 140


def test_a_fan_that_begins_while_others_fill_the_queue_is_not_squeezed_into_a_few_jobs(cluster: Cluster) -> None:
    cluster.settings(elements=4)
    run = jobs.crowding.submit(names=["first", "go on", "go on", "go on"], xs=list(range(8)))
    assert cluster.began(1)
    cluster.sign("first")  # which makes room for one job
    assert eventually(lambda: len(cluster.jobs(run)) == 2, timeout_s=PATIENCE_S, pause_s=0.1)
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == (["first", "go on", "go on", "go on"], [100 + x for x in range(8)])
    assert max(len(tasks) for tasks in cluster.elements(run)) == 2
