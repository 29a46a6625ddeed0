"""Engines that are told to leave while the host of their jobs is down: they do, and another one goes on."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

import sciflow
from tests.faults.cluster import PATIENCE_S, Cluster, engine_log, says
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.programs import jobs
from tests.services import stalling_proxy
from tests.services.processes import Processes, free_ports, listens

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(400)]

LEAVING_S = 10.0
LARGE = 65 << 20  # bytes, so that the file goes by itself


def terminated(cluster: Cluster) -> bool:
    """Whether all engines end when they are told to by SIGTERM."""
    for engine in cluster.bench.processes.engines():
        engine.kill(signal.SIGTERM)
    return eventually(lambda: not cluster.bench.processes.engines(), timeout_s=LEAVING_S)


@pytest.mark.parametrize("end", [sciflow.Run.cancel, sciflow.Run.stop, sciflow.Run.suspend])
def test_an_engine_that_cannot_reach_the_jobs_that_it_is_to_end_leaves_when_it_is_terminated(
    cluster: Cluster, end: Callable[[sciflow.Run[Any]], None]
) -> None:
    cluster.settings(throttle=1)
    run = jobs.patiently.submit(xs=[0, 1])
    assert cluster.began(1)
    cluster.sshd.stop()
    try:
        end(run)
        assert says(run, "waiting for the host"), run.snapshot()
        assert terminated(cluster), run.snapshot().message
        assert run.phase == "Suspended", run.report() + engine_log(run)
    finally:
        cluster.sshd.start()
    assert len(cluster.queue()) == 2, cluster.queue()
    cluster.sign("go on")
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100, 101]
    assert set(cluster.notes("began").values()) == {1}


def test_an_engine_that_waits_for_a_file_of_the_result_leaves_when_it_is_terminated(cluster: Cluster) -> None:
    run = jobs.heavily.submit(xs=[0])
    assert cluster.began(1)
    cluster.sign("go on")
    assert eventually(lambda: run.tasks("heavy", phase="Succeeded"), timeout_s=PATIENCE_S, pause_s=0.01)
    cluster.sshd.stop()
    try:
        assert says(run, "waiting for the host"), run.snapshot()
        assert terminated(cluster), run.snapshot().message
        assert run.phase == "Suspended", run.report() + engine_log(run)
    finally:
        cluster.sshd.start()
    assert run.resume(detach=False) == "Succeeded", run.report() + engine_log(run)
    assert [path.stat().st_size for path in run.result] == [2_000_000]
    assert set(cluster.notes("began").values()) == {1}


def test_an_engine_that_is_sending_a_large_file_leaves_when_it_is_terminated(cluster: Cluster) -> None:
    (port,) = free_ports(1)
    folder = cluster.bench.folder / "proxy"
    folder.mkdir()
    processes = Processes(folder)
    argv = [sys.executable, stalling_proxy.__file__, str(port), str(cluster.sshd.port), "--after", str(8 << 20)]
    processes.start("proxy", argv, ready=lambda: listens(port))
    config = cluster.bench.folder / "client_config"
    config.write_text(cluster.sshd.entry(port=port))
    cluster.settings(ssh_config=str(config))
    large = cluster.bench.folder / "large"
    large.write_bytes(bytes(LARGE))
    try:
        run = jobs.edited.submit(file=large)
        parts = cluster.work_root / "blobs"
        assert eventually(lambda: any(part.stat().st_size for part in parts.glob(".*")), timeout_s=PATIENCE_S)
        assert terminated(cluster), run.snapshot().message
    finally:
        processes.end("proxy")
    assert run.phase == "Suspended", run.report() + engine_log(run)
