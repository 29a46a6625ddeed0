"""The login node of the tests' Slurm."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services.processes import soon
from tests.services.slurm import Slurm
from tests.services.sshd import Sshd


def test_an_array_is_submitted_and_seen_over_ssh(slurm: Slurm, slurm_over_ssh: Sshd, tmp_path: Path) -> None:
    def there(line: str) -> str:
        argv = ["ssh", "-F", str(slurm_over_ssh.config), slurm_over_ssh.host, line]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, stdin=subprocess.DEVNULL)
        return done.stdout.strip()

    options = f"--parsable --array=0-9 --chdir={tmp_path} --output=%a.out"
    job = there(f"sbatch {options} --wrap 'echo element $SLURM_ARRAY_TASK_ID'")
    assert soon(lambda: not there("squeue --noheader"), 30.0, every_s=0.2)
    assert (tmp_path / "9.out").read_text() == "element 9\n"
    assert slurm.states()[f"{job}_9"] == "COMPLETED"
