"""The tutorial that runs on a cluster, on a real Slurm over SSH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("slurm")
def test_the_sweep_runs_on_slurm_over_ssh(tmp_path, slurm_over_ssh):
    copy = tmp_path / "tutorials"
    shutil.copytree(ROOT / "tutorials", copy, ignore=shutil.ignore_patterns("results", "runs", "__pycache__"))
    settings = (copy / "cluster.toml").read_text("utf-8")
    settings = settings.replace("/scratch/me", str(tmp_path / "scratch"))
    settings = settings.replace('"python3"', f'"{sys.executable}"')
    extra = f'ssh_config = "{slurm_over_ssh.config}"\nlook_most_s = 1.0\n'
    (tmp_path / "sciflow.toml").write_text(settings + extra, "utf-8")
    surroundings = {"PYTHONPATH": f"{ROOT}:{ROOT / 'ops'}", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "tutorials/eos_on_cluster.py"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Al         3.994   4.022   -0.70     39.2     77   -49.1   Lejaeghere 2014" in done.stdout
    assert (copy / "results" / "eos_on_cluster.csv").exists()
    assert list((tmp_path / "scratch" / "sciflow" / "runs").iterdir()) == []  # cleanup = "on_success"
