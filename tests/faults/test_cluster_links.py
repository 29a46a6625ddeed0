"""The way to a cluster, and the cluster's controller, fail for a while: the run waits, says so, and goes on.

SCIFLOW_TEST_SLOW=1 runs those too that need minutes, since silence is believed only after a while.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

import sciflow
from tests.faults.cluster import Cluster, ends, engine_log, kill_engines, says
from tests.faults.harness import NEEDS_LINUX, eventually
from tests.faults.programs import jobs
from tests.services import stalling_proxy
from tests.services.processes import Processes, free_ports, listens

SLOW = pytest.mark.skipif(not os.environ.get("SCIFLOW_TEST_SLOW"), reason="minutes: SCIFLOW_TEST_SLOW=1 runs it")

MENDED = {"stop": "start", "freeze": "thaw"}

pytestmark = [pytest.mark.faults, NEEDS_LINUX, pytest.mark.timeout(600)]


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; its SSH server runs again afterwards."""
    yield cluster
    cluster.sshd.thaw()
    if not listens(cluster.sshd.port):
        cluster.sshd.start()


def went_well(cluster: Cluster, run: sciflow.Run[list[int]], count: int, submissions: int = 1) -> None:
    assert ends(run) == "Succeeded", run.report() + engine_log(run)
    assert run.result == [100 + x for x in range(count)]
    assert len(cluster.submissions(run)) == submissions
    assert set(cluster.notes("began").values()) == {1}
    assert run.tasks(phase="Error") == run.tasks(phase="Failed") == []


def test_a_server_that_is_started_anew_under_a_run_is_connected_to_again(server: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert server.began(3)
    server.sshd.stop()
    assert says(run, "waiting for the host"), run.snapshot().message
    server.sign("go on")
    server.sshd.start()
    went_well(server, run, 3)
    assert run.snapshot().message == ""


def test_a_run_that_begins_while_the_server_is_down_waits_for_it(server: Cluster) -> None:
    server.sshd.stop()
    server.sign("go on")
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert says(run, "waiting for the host"), run.snapshot().message
    server.sshd.start()
    went_well(server, run, 3)


def test_a_server_that_is_frozen_for_a_while_is_waited_for(server: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert server.began(3)
    server.sshd.freeze()
    server.sign("go on")
    assert server.is_empty()
    assert run.phase == "Running"
    server.sshd.thaw()
    went_well(server, run, 3)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Processes]:
    """What lies between here and the server, and can forget connections."""
    (port,) = free_ports(1)
    processes = Processes(cluster.bench.folder / "proxy")
    (cluster.bench.folder / "proxy").mkdir()
    argv = [sys.executable, stalling_proxy.__file__, str(port), str(cluster.sshd.port)]
    processes.start("proxy", argv, ready=lambda: listens(port))
    config = cluster.bench.folder / "client_config"
    config.write_text(cluster.sshd.entry(port=port))
    cluster.settings(ssh_config=str(config))
    yield processes
    processes.end("proxy")


@SLOW
def test_a_connection_that_a_firewall_has_forgotten_is_noticed_and_made_again(
    cluster: Cluster, proxy: Processes
) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3), (run.snapshot().message, cluster.queue(), engine_log(run))
    process = proxy.get("proxy")
    assert process is not None
    process.signal(signal.SIGUSR1)
    cluster.sign("go on")
    assert says(run, "waiting for the host"), run.snapshot().message
    process.signal(signal.SIGUSR2)
    went_well(cluster, run, 3)


@SLOW
@pytest.mark.parametrize("how", MENDED)
def test_a_controller_of_the_batch_system_that_does_not_answer_is_waited_for(cluster: Cluster, how: str) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3), (run.snapshot().message, cluster.queue(), engine_log(run))
    cluster.controller(how)
    assert says(run, "waiting"), run.snapshot().message
    assert run.phase == "Running"
    cluster.controller(MENDED[how])
    cluster.sign("go on")
    went_well(cluster, run, 3)


def test_jobs_that_end_while_the_controller_is_gone_are_collected(cluster: Cluster) -> None:
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3), (run.snapshot().message, cluster.queue(), engine_log(run))
    cluster.controller("stop")
    cluster.sign("go on")
    try:
        went_well(cluster, run, 3)
    finally:
        cluster.controller("start")


@SLOW
@pytest.mark.parametrize("how", MENDED)
def test_a_submission_while_the_controller_does_not_answer_is_made_once_when_it_does(
    cluster: Cluster, how: str
) -> None:
    cluster.sign("go on")
    cluster.controller(how)
    run = jobs.patiently.submit(xs=[0, 1, 2])
    try:
        assert says(run, "waiting"), run.snapshot().message
    finally:
        cluster.controller(MENDED[how])
    went_well(cluster, run, 3)
    assert sum(cluster.finished()[name] for name in cluster.submissions(run)) == 3


def kill_connection(cluster: Cluster) -> None:
    found = cluster.connections()
    assert found
    for process in found:
        process.kill()


def test_a_connection_process_that_is_killed_is_done_without_where_nobody_need_be_asked(cluster: Cluster) -> None:
    cluster.connect()
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3), (run.snapshot().message, cluster.queue(), engine_log(run))
    kill_connection(cluster)
    cluster.sign("go on")
    went_well(cluster, run, 3)


def test_engine_and_connection_process_that_are_killed_together_lose_nothing(cluster: Cluster) -> None:
    cluster.connect()
    run = jobs.patiently.submit(xs=[0, 1, 2])
    assert cluster.began(3), (run.snapshot().message, cluster.queue(), engine_log(run))
    kill_connection(cluster)
    kill_engines(cluster.bench)
    cluster.sign("go on")
    assert eventually(lambda: not cluster.queue(), timeout_s=60, pause_s=0.2)
    run.resume()
    went_well(cluster, run, 3)
