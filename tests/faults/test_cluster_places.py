"""A cluster on which something is not as it should be: said in its own words; once that is mended the run goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import sciflow
from tests.faults.cluster import PATIENCE_S, Cluster, ends, engine_log, kill_engines, says
from tests.faults.harness import NEEDS_LINUX, NEEDS_ROOT, eventually
from tests.faults.programs import jobs
from tests.services.slurm import Slurm

SLOW = pytest.mark.skipif(not os.environ.get("SCIFLOW_TEST_SLOW"), reason="minutes: SCIFLOW_TEST_SLOW=1 runs it")

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]


def wrapper(cluster: Cluster, body: str) -> Path:
    """A `python` that does something else within jobs until the sign "mended" is there."""
    program = cluster.bench.folder / "python-of-the-site"
    mended = cluster.signs / "mended"
    program.write_text(
        f'#!/bin/sh\nif [ -n "$SLURM_JOB_ID" ] && [ ! -e "{mended}" ]; then {body}; fi\nexec {sys.executable} "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_a_python_that_is_missing_on_the_nodes_is_named_and_the_run_goes_on_when_it_is_there(cluster: Cluster) -> None:
    program = wrapper(cluster, 'exec /nonexistent/python3 "$@"')
    cluster.settings(python=str(program))
    run = jobs.fan.submit(xs=[1, 2, 3])
    assert ends(run) == "Failed"
    failed = run.failed_tasks()
    assert [task.phase for task in failed] == ["Error"] * 3
    assert all(task.error and "is `python` of the executor right?" in task.error.message for task in failed)
    assert "/nonexistent/python3" in run.report()
    cluster.sign("mended")
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == 14


def test_a_python_that_is_missing_on_the_login_node_fails_the_tasks_and_the_run_goes_on_when_it_is_named_right(
    cluster: Cluster,
) -> None:
    cluster.settings(python="/nonexistent/python3")
    cluster.sign("go on")
    run = jobs.patiently.submit(xs=[1, 2])
    assert ends(run) == "Failed"
    assert [task.error and task.error.type for task in run.failed_tasks()] == ["sciflow:EnvironmentBroken"] * 2
    assert "/nonexistent/python3: not found" in run.report()
    cluster.settings()
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [101, 102]


def test_a_prologue_that_fails_is_told_in_its_own_words_and_the_run_goes_on_when_it_is_right(cluster: Cluster) -> None:
    mended = cluster.signs / "mended"
    cluster.settings(prologue=[f'[ -e "{mended}" ] || {{ echo "Lmod: unknown module qe/7.2" >&2; exit 3; }}'])
    run = jobs.fan.submit(xs=[1, 2, 3])
    assert ends(run) == "Failed"
    failed = run.failed_tasks()
    assert [task.phase for task in failed] == ["Error"] * 3
    assert all(task.error and "exit code 3" in task.error.message for task in failed)
    assert "unknown module qe/7.2" in run.report()
    cluster.sign("mended")
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)


def test_a_submission_that_is_refused_fails_in_the_words_of_the_batch_system(cluster: Cluster) -> None:
    cluster.settings(queue="nonsense")
    run = jobs.patiently.submit(xs=[1, 2])
    assert ends(run) == "Failed"
    assert "invalid partition specified: nonsense" in run.report()
    assert len(cluster.submissions(run)) == 0
    cluster.sign("go on")
    cluster.settings()
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)


@SLOW
def test_a_queue_that_is_full_is_waited_for(
    cluster: Cluster, start_slurm: Callable[..., AbstractContextManager[Slurm]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_slurm(nodes=1, cpus=4) as small:
        text = small.conf.read_text()
        small.conf.write_text(text.replace("MaxJobCount=20000", "MaxJobCount=3"))
        small.stop_controller()
        small.start_controller()
        monkeypatch.setenv("SLURM_CONF", str(small.conf))
        blocker = small.run("sbatch", "--parsable", "--array=0-1", "--output=/dev/null", "--wrap=sleep 600")
        cluster.settings(host="", ssh_config="")
        run = jobs.patiently.submit(xs=[1, 2, 3])
        assert says(run, "waiting", timeout_s=2 * PATIENCE_S), run.snapshot().message  # sbatch itself tries for 120 s
        assert run.phase == "Running"
        small.run("scancel", blocker)
        small.conf.write_text(text)
        small.stop_controller()
        small.start_controller()
        cluster.sign("go on")
        assert ends(run) == "Succeeded", run.report() + engine_log(run)
        assert set(cluster.notes("began").values()) == {1}


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[Path]:
    """The cluster's scratch file system, of a few megabytes."""
    cluster.work_root.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=24m,nr_inodes=4000", "tmpfs", cluster.work_root]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr}")
    yield cluster.work_root
    cluster.bench.processes.end()
    subprocess.run(["umount", "--lazy", cluster.work_root], check=True)


def fill(place: Path) -> None:
    free = os.statvfs(place)
    with (place / "ballast").open("ab", buffering=0) as ballast:
        left = free.f_bavail * free.f_frsize
        try:
            while left > 0:
                left -= ballast.write(b"\0" * min(left, 65536))
        except OSError:
            return


def crowd(place: Path) -> None:
    """Leaves no room for another file."""
    (place / "crowd").mkdir()
    try:
        for number in range(os.statvfs(place).f_files):
            (place / "crowd" / str(number)).touch()
    except OSError:
        return


@NEEDS_ROOT
def test_a_scratch_disk_that_fills_up_under_tasks_is_named_and_the_run_goes_on_when_there_is_room(
    cluster: Cluster, small_disk: Path
) -> None:
    run = jobs.heavily.submit(xs=[1, 2])
    assert cluster.began(2)
    fill(small_disk)
    cluster.sign("go on")
    assert ends(run) == "Failed", run.report() + engine_log(run)
    assert "No space left" in run.report(), run.report()
    (small_disk / "ballast").unlink()
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert [path.stat().st_size for path in run.result] == [2_000_000] * 2


@NEEDS_ROOT
@pytest.mark.parametrize("of", ["bytes", "files"])
def test_a_scratch_disk_that_is_full_when_jobs_begin_is_named_by_their_tasks_and_the_run_goes_on_when_there_is_room(
    cluster: Cluster, small_disk: Path, of: str
) -> None:
    cluster.slurm.drain()
    cluster.sign("go on")
    run = jobs.patiently.submit(xs=[1, 2])
    assert says(run, "2 queued"), run.snapshot().message
    fill(small_disk) if of == "bytes" else crowd(small_disk)
    cluster.slurm.resume()
    assert ends(run) == "Failed", run.report() + engine_log(run)
    failed = run.failed_tasks()
    assert [task.phase for task in failed] == ["Error"] * 2
    told = "exit code 74: it could not write there" if of == "bytes" else f"no room is left in {small_disk}/runs/"
    assert all(task.error and told in task.error.message for task in failed), run.report()
    (small_disk / "ballast").unlink(missing_ok=True)
    shutil.rmtree(small_disk / "crowd", ignore_errors=True)
    run.retry()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [101, 102]


@NEEDS_ROOT
def test_a_scratch_disk_that_is_full_before_anything_was_submitted_is_waited_for(
    cluster: Cluster, small_disk: Path
) -> None:
    fill(small_disk)
    cluster.sign("go on")
    run = jobs.patiently.submit(xs=[1, 2])
    assert says(run, "No space left"), run.snapshot().message
    (small_disk / "ballast").unlink()
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert set(cluster.notes("began").values()) == {1}


def test_an_op_that_has_had_all_the_time_of_its_job_fails_and_the_rest_is_handed_back(cluster: Cluster) -> None:
    cluster.settings(elements=1, walltime_s=8)
    run = jobs.longer.submit(seconds=[0.5, 60.0, 0.6])
    assert ends(run) == "Failed", run.report() + engine_log(run)
    failed = run.failed_tasks()
    assert [task.path for task in failed] == ["long/1"]
    assert failed[0].error is not None
    assert "time limit" in failed[0].error.message
    assert {task.path: task.phase for task in run.tasks("long")} == {
        "long/0": "Succeeded",
        "long/1": "Error",
        "long/2": "Succeeded",
    }
    assert cluster.notes("ended") == {"long/0 1": 1, "long/2 1": 1}


def test_an_op_that_the_batch_system_warns_of_its_time_limit_is_not_submitted_for_ever(cluster: Cluster) -> None:
    cluster.settings(walltime_s=20, options={"warning_s": 0})
    run = jobs.longer.submit(seconds=[300.0])
    assert cluster.began(1)
    (job,) = cluster.jobs(run)
    (live,) = cluster.work_root.glob("runs/*/batches/*/live/0")
    began = live.stat().st_ctime
    assert eventually(lambda: time.time() - began > 12, timeout_s=30, pause_s=0.1)
    cluster.slurm.run("scancel", "--signal=USR1", "--batch", f"{job}_0")
    assert ends(run) == "Failed", run.report() + engine_log(run)
    assert "time limit" in run.report()
    assert cluster.jobs(run) == [job]


def test_an_attempt_after_one_that_had_too_little_time_asks_for_more(cluster: Cluster) -> None:
    run = jobs.growing.submit(seconds=9.0)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    asked = [
        [line.split("=")[1] for line in script.splitlines() if line.startswith(("#SBATCH --time", "#SBATCH --mem"))]
        for script in cluster.scripts()
    ]
    assert asked == [["100M", "00:00:06"], ["200M", "00:00:24"]]


def test_a_scratch_folder_that_is_removed_under_a_run_ends_its_jobs_before_their_tasks_are_tried_again(
    cluster: Cluster,
) -> None:
    cluster.settings(marks_patience_s=1.0)
    run = jobs.steadfastly.submit(xs=[0, 1])
    assert cluster.began(2)
    (job,) = cluster.jobs(run)
    shutil.rmtree(cluster.work_root / "runs" / run.id)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert [task.attempt for task in run.tasks("steadfast")] == [2, 2]
    assert "somebody has removed it" in cluster.attempts(run)[0]
    assert job not in str(cluster.queue())
    cluster.sign("go on")
    assert cluster.is_empty()
    assert cluster.notes("ended") == {"steadfast/0 2": 1, "steadfast/1 2": 1}


def test_a_scratch_folder_that_is_out_of_sight_for_a_moment_is_looked_for_and_the_run_goes_on(cluster: Cluster) -> None:
    cluster.settings(marks_patience_s=60.0)
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    folder = cluster.work_root / "runs" / run.id
    hidden = folder.rename(cluster.bench.folder / "hidden")
    assert says(run, "is not there", "60 s before it is taken for removed"), run.snapshot().message
    hidden.rename(folder)
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}
    assert len(cluster.submissions(run)) == 1


@pytest.mark.parametrize("dies", [False, True], ids=["engine lives", "engine dies"])
def test_a_scratch_file_system_that_is_not_mounted_is_waited_for_and_not_made_anew(
    cluster: Cluster, *, dies: bool
) -> None:
    cluster.settings(marks_patience_s=0.5)
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    hidden = cluster.work_root.rename(cluster.bench.folder / "hidden")
    cluster.work_root.mkdir()  # where it was mounted
    if dies:
        kill_engines(cluster.bench)
        run.detach()
    assert says(run, "is its file system mounted?", f"mkdir -p {cluster.work_root}/runs"), run.snapshot().message
    assert not {"runs", "code"} & {path.name for path in cluster.work_root.iterdir()}
    assert len(cluster.queue()) == 2
    shutil.rmtree(cluster.work_root)
    hidden.rename(cluster.work_root)
    cluster.sign("go on")
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}


def test_a_scratch_file_system_that_somebody_says_is_lost_has_its_tasks_tried_again(cluster: Cluster) -> None:
    cluster.settings(marks_patience_s=0.5)
    run = jobs.steadfastly.submit(xs=[0])
    assert cluster.began(1)
    cluster.work_root.rename(cluster.bench.folder / "lost")
    assert says(run, "is its file system mounted?"), run.snapshot().message
    (cluster.work_root / "runs").mkdir(parents=True)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert [task.attempt for task in run.tasks("steadfast")] == [2]


def test_files_of_jobs_that_have_ended_well_are_waited_for_as_long_as_a_file_system_may_hide_them(
    cluster: Cluster,
) -> None:
    cluster.settings(marks_patience_s=60.0)
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(2)
    kill_engines(cluster.bench)
    cluster.sign("go on")
    assert cluster.is_empty()
    (done,) = cluster.work_root.glob("runs/*/batches/*/done")
    hidden = done.rename(cluster.bench.folder / "hidden")
    run.detach()
    assert says(run, "2 elements have left the queue", "up to 60 s"), run.snapshot().message + engine_log(run)
    hidden.rename(done)
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}


def test_a_run_whose_folder_was_moved_after_its_engine_died_collects_its_jobs(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3)
    kill_engines(cluster.bench)
    before = cluster.jobs(run)
    moved = cluster.bench.folder / "elsewhere" / run.id
    moved.parent.mkdir()
    shutil.move(run.folder, moved)
    cluster.sign("go on")
    again = sciflow.open_run(moved)
    assert again.resume(detach=False) == "Succeeded", again.report() + engine_log(again)
    assert again.result == [100, 101, 102]
    assert cluster.jobs(again) == before
