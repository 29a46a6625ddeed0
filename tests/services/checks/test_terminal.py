"""Services that are started on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.sshd import SshdService


@pytest.fixture
def env() -> Iterator[dict[str, str]]:
    """A folder for services apart from that of whoever runs the tests; short, for sockets."""
    if why := SshdService().missing():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="by-hand-") as folder:
        yield {**os.environ, "TMPDIR": folder, "SLURM_CONF": "/none/slurm.conf"}


def services(*arguments: str, env: dict[str, str]) -> str:
    argv = [sys.executable, "-m", "tests.services", *arguments]
    root = Path(__file__).parents[3]
    return subprocess.run(argv, env=env, cwd=root, capture_output=True, text=True, timeout=60, check=True).stdout


def test_starting_an_sshd_prints_how_it_is_reached_each_time_and_it_has_the_terminals_slurm(
    env: dict[str, str],
) -> None:
    try:
        said = services("start", "sshd", env=env)
        assert services("start", "sshd", env=env) == said
        argv = [*said.removeprefix("# ").split(), "printenv", "SLURM_CONF"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True, stdin=subprocess.DEVNULL)
        assert done.stdout == "/none/slurm.conf\n"
    finally:
        services("stop", "sshd", env=env)
