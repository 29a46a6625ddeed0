"""The Grid Engine of the tests does what tests of Grid Engine rely on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services.processes import soon
from tests.services.sge import Sge
from tests.services.sshd import Sshd


def submit(sge: Sge, folder: Path, *options: str, command: str = "true") -> str:
    said = sge.run("qsub", "-terse", "-wd", str(folder), "-o", f"{folder}/out", "-j", "y", *options, stdin=command)
    return said.partition(".")[0]


def over(sge: Sge, within_s: float = 30.0) -> bool:
    return soon(lambda: not sge.run("qstat"), within_s, every_s=0.1)


def account(sge: Sge, job: str) -> dict[str, str]:
    assert soon(lambda: sge.run("qacct", "-j", job, check=False), 10.0, every_s=0.2)
    rows = (line.split(maxsplit=1) for line in sge.run("qacct", "-j", job).splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def test_every_element_of_an_array_runs_once(sge: Sge, tmp_path: Path) -> None:
    submit(sge, tmp_path, "-t", "1-20", "-tc", "10", command="echo $SGE_TASK_ID >> done.txt")
    assert over(sge)
    assert sorted(map(int, (tmp_path / "done.txt").read_text().split())) == list(range(1, 21))


def test_accounting_knows_the_exit_code(sge: Sge, tmp_path: Path) -> None:
    job = submit(sge, tmp_path, command="exit 3")
    assert over(sge)
    assert account(sge, job)["exit_status"] == "3"


def test_a_cancelled_job_and_its_processes_are_gone(sge: Sge, tmp_path: Path) -> None:
    submit(sge, tmp_path, command="echo up > up; sleep 600; echo late > late")
    assert soon((tmp_path / "up").exists, 20.0)
    assert soon(lambda: "<state>r</state>" in sge.run("qstat", "-xml"), 10.0)
    sge.run("qdel", "-u", "root")
    assert over(sge)


def test_a_held_job_waits(sge: Sge, tmp_path: Path) -> None:
    job = submit(sge, tmp_path, "-h")
    assert "<state>hqw</state>" in sge.run("qstat", "-xml")
    sge.run("qrls", job)
    assert over(sge)


def test_a_job_whose_time_is_over_is_ended(sge: Sge, tmp_path: Path) -> None:
    job = submit(sge, tmp_path, "-l", "h_rt=2", command="sleep 600")
    assert over(sge)
    assert account(sge, job)["exit_status"].split()[0] == "137"  # SIGKILL


def test_slots_are_asked_for_by_a_parallel_environment(sge: Sge, tmp_path: Path) -> None:
    submit(sge, tmp_path, "-pe", "smp", "4", command="echo $NSLOTS > slots")
    assert over(sge)
    assert (tmp_path / "slots").read_text() == "4\n"


def test_its_clients_are_found_over_ssh(sge: Sge, sge_over_ssh: Sshd) -> None:
    argv = ["ssh", "-F", str(sge_over_ssh.config), sge_over_ssh.host, "qstat -xml"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, stdin=subprocess.DEVNULL)
    assert "<job_info" in done.stdout
