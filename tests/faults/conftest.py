"""A bench for each fault test: its own folder, settings and processes, of which none may be left at its end."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster
from tests.faults.harness import MARK, ROOT, Bench, Processes, Tally
from tests.faults.pods import Pods
from tests.services.kubernetes.service import Kubernetes
from tests.services.slurm import Slurm
from tests.services.sshd import Sshd


@pytest.fixture
def heard() -> Iterator[None]:
    """Programs hear of ctrl-C and closed terminals, also where the tests run under nohup or in the background."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: None) -> Iterator[Bench]:
    mark = uuid.uuid4().hex
    tally = Tally(tmp_path / "tally.txt")
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("FAULTS_TALLY", str(tally.path))
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCIFLOW_WORKERS", "2")
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    monkeypatch.chdir(tmp_path)
    processes = Processes(mark)
    yield Bench(tmp_path, tally, processes)
    left = [] if processes.gone(3.0) else processes.all()
    processes.end()
    assert not left, f"processes were left behind: {left}"


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections are kept for this test alone."""
    with tempfile.TemporaryDirectory(prefix="sciflow-run-", dir="/tmp") as run:  # a socket's path must be short
        monkeypatch.setenv("XDG_RUNTIME_DIR", run)
        yield


@pytest.fixture
def cluster(
    bench: Bench, slurm: Slurm, slurm_over_ssh: Sshd, sockets: None, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """Runs go to a Slurm behind SSH."""
    made = Cluster(bench, slurm, slurm_over_ssh, monkeypatch)
    made.settings()
    return made


@pytest.fixture
def pods(bench: Bench, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    """Runs go to Argo."""
    made = Pods(bench, kubernetes, monkeypatch)
    made.settings()
    yield made
    made.remove()
