"""The tutorial whose files lie in a bucket, on a real S3 server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_sweep_keeps_its_files_in_a_bucket(tmp_path, s3):
    copy = tmp_path / "tutorials"
    shutil.copytree(ROOT / "tutorials", copy, ignore=shutil.ignore_patterns("results", "runs", "__pycache__"))
    settings = (copy / "bucket.toml").read_text("utf-8")
    settings = settings.replace("https://minio.example.org", s3.url).replace('"results"', f'"{s3.bucket}"')
    (tmp_path / "sciflow.toml").write_text(f'{settings}region = "{s3.region}"\n', "utf-8")
    surroundings = {"PYTHONPATH": f"{ROOT}:{ROOT / 'ops'}", "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    surroundings |= {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    command = [sys.executable, "tutorials/eos_in_bucket.py"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Al         3.994   4.022   -0.70     39.2     77   -49.1   Lejaeghere 2014" in done.stdout
    assert "files that need not be here any more: 13" in done.stdout
