"""The Slurm of the tests does what tests of Slurm rely on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.services.processes import soon
from tests.services.slurm import Slurm


def submit(slurm: Slurm, folder: Path, *options: str, command: str = "true") -> str:
    output = f"--output={folder}/%j.out"
    return slurm.run("sbatch", "--parsable", f"--chdir={folder}", output, *options, "--wrap", command)


def becomes(slurm: Slurm, job: str, *states: str, within_s: float = 20.0) -> bool:
    return soon(lambda: slurm.states().get(job) in states, within_s, every_s=0.1)


def test_every_element_of_an_array_runs_once(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--array=0-39%20", command="echo $SLURM_ARRAY_TASK_ID >> done.txt")
    assert soon(lambda: not slurm.run("squeue", "--noheader"), 30.0, every_s=0.1)
    assert sorted(map(int, (tmp_path / "done.txt").read_text().split())) == list(range(40))
    assert slurm.states()[f"{job}_39"] == "COMPLETED"


def test_a_cancelled_job_and_its_processes_are_gone(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, command="echo $$ > pid; sleep 600")
    assert soon(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), 10.0)
    slurm.run("scancel", job)
    assert becomes(slurm, job, "CANCELLED")
    assert soon(lambda: not Path("/proc", (tmp_path / "pid").read_text().strip()).exists(), 5.0)


def test_a_requeued_job_starts_again_within_seconds(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, command="echo $SLURM_RESTART_COUNT. >> starts; sleep 600")
    assert soon((tmp_path / "starts").exists, 10.0)
    slurm.run("scontrol", "requeue", job)
    assert soon(lambda: (tmp_path / "starts").read_text().split() == [".", "1."], 60.0)


def test_a_job_is_queued_again_when_its_node_fails(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--nodelist=n1", "--requeue", command="sleep 600")
    once = submit(slurm, tmp_path, "--nodelist=n1", "--no-requeue", command="sleep 600")
    assert becomes(slurm, job, "RUNNING")
    assert becomes(slurm, once, "RUNNING")
    slurm.down("n1")
    assert becomes(slurm, job, "PENDING")
    assert becomes(slurm, once, "NODE_FAIL")
    slurm.resume("n1")
    assert becomes(slurm, job, "RUNNING", within_s=60.0)


def test_nothing_starts_on_drained_nodes(slurm: Slurm, tmp_path: Path) -> None:
    slurm.drain()
    job = submit(slurm, tmp_path)
    assert not becomes(slurm, job, "RUNNING", "COMPLETED", within_s=3.0)
    slurm.resume()
    assert becomes(slurm, job, "COMPLETED")


def test_jobs_outlive_the_controller(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, command="sleep 2; echo done > done")
    assert becomes(slurm, job, "RUNNING")
    slurm.stop_controller()
    with pytest.raises(subprocess.TimeoutExpired):
        slurm.run("squeue", timeout_s=2.0)
    assert soon((tmp_path / "done").exists, 10.0)
    slurm.start_controller()
    assert becomes(slurm, job, "COMPLETED")


def test_clients_of_a_frozen_controller_hang(slurm: Slurm) -> None:
    slurm.freeze_controller()
    with pytest.raises(subprocess.TimeoutExpired):
        slurm.run("squeue", timeout_s=2.0)
    slurm.thaw_controller()
    assert slurm.run("squeue", "--noheader") == ""


def test_urgent_jobs_push_spare_ones_out(slurm: Slurm, tmp_path: Path) -> None:
    whole = ("--exclusive", "--nodes=2")
    job = submit(slurm, tmp_path, "--partition=spare", "--no-requeue", *whole, command="sleep 600")
    assert becomes(slurm, job, "RUNNING")
    urgent = submit(slurm, tmp_path, "--partition=urgent", *whole)
    assert becomes(slurm, job, "PREEMPTED")
    assert becomes(slurm, urgent, "COMPLETED")


def test_gpus_are_given_out(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(slurm, tmp_path, "--gres=gpu:test:2", command="echo $CUDA_VISIBLE_DEVICES > gpus")
    assert becomes(slurm, job, "COMPLETED")
    assert (tmp_path / "gpus").read_text() == "0,1\n"


def test_a_job_whose_time_is_over_is_ended_with_time_to_say_so(slurm: Slurm, tmp_path: Path) -> None:
    job = submit(
        slurm, tmp_path, "--signal=B:USR1@30", command="trap 'echo warned > warned' USR1; sleep 600 & wait; wait"
    )
    assert becomes(slurm, job, "RUNNING")
    slurm.end_of_time(job)
    assert becomes(slurm, job, "TIMEOUT", within_s=60.0)


def test_accounting_knows_how_a_job_ended(slurmdbd: Slurm, tmp_path: Path) -> None:
    job = submit(slurmdbd, tmp_path, "--array=0-1", command="exit 3")
    options = ("--noheader", "--parsable2", "--allocations", f"--jobs={job}", "--format=JobID,State,ExitCode")
    ended = [f"{job}_0|FAILED|3:0", f"{job}_1|FAILED|3:0"]
    assert soon(lambda: sorted(slurmdbd.run("sacct", *options).split()) == ended, 30.0, every_s=0.2)
