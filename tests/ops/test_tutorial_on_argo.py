"""The tutorial that runs on Argo, on a real Kubernetes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(900)
def test_the_sweep_runs_on_argo(tmp_path, kubernetes):
    copy = tmp_path / "tutorials"
    shutil.copytree(ROOT / "tutorials", copy, ignore=shutil.ignore_patterns("results", "runs", "__pycache__"))
    settings = (copy / "argo.toml").read_text("utf-8")
    for there, here in {
        "https://localhost:2746": kubernetes.argo_url,
        "http://localhost:9000": kubernetes.s3.url,
        "http://minio:9000": kubernetes.s3.url,
        "my-bucket": kubernetes.s3.bucket,
        "my-minio-cred": kubernetes.s3_secret,
        '"accesskey"': '"key"',
        '"secretkey"': '"secret"',
        "sciflow-base:1": kubernetes.base_image,
        "sciflow-ase:1": kubernetes.ase_image,
    }.items():
        assert there in settings
        settings = settings.replace(there, here)
    (tmp_path / "sciflow.toml").write_text(settings, "utf-8")
    surroundings = {"PYTHONPATH": f"{ROOT}:{ROOT / 'ops'}", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    surroundings |= {"AWS_ACCESS_KEY_ID": kubernetes.s3.access_key, "AWS_SECRET_ACCESS_KEY": kubernetes.s3.secret_key}
    command = [sys.executable, "tutorials/eos_on_argo.py"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Al         3.994   4.022   -0.70     39.2     77   -49.1   Lejaeghere 2014" in done.stdout
    assert (copy / "results" / "eos_on_argo.csv").exists()
    assert (copy / "results" / "eos_on_argo.png").read_bytes().startswith(b"\x89PNG")
