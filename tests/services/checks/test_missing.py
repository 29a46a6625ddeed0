"""A service that is not here: its tests skip, or fail where all services are wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ASKS = "def test_that_asks(kubernetes): ...\n"


@pytest.mark.parametrize(("wanted", "code", "told"), [("", 0, "1 skipped"), ("required", 1, "1 error")])
def test_a_cluster_that_was_not_built_is_skipped_unless_it_is_wanted(
    wanted: str, code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "test_asks.py").write_text(ASKS)
    env = {"SCIFLOW_TEST_SERVICES": wanted, "SCIFLOW_TEST_SERVICES_CACHE": str(tmp_path / "cache")}
    argv = [sys.executable, "-m", "pytest", "-p", "tests.services.plugin", "-p", "no:cacheprovider", str(tmp_path)]
    env = {**os.environ, **env, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert told in done.stdout
    assert "services missing: kubernetes (1 test)" in done.stdout
