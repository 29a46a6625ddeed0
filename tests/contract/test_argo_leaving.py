"""What is ordered of a workflow of Argo is done before the engine leaves, and where there is no engine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sciflow import Run
from sciflow.engine.run_folder import RunFolder
from sciflow.executors.argo.manifest.naming import dns_name
from tests.contract.argo_ops import asks, naps
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes


@pytest.fixture
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubernetes:
    """The cluster, at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="leaving")
    return kubernetes


def until(holds: Callable[[], bool], *, patience_s: float = 90.0) -> None:
    limit = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.2)


def phase_there(cluster: Kubernetes, run: Run[Any]) -> str:
    asked = ("kubectl", "get", "workflow", dns_name(run.id), "-n", cluster.namespace)
    return cluster.run(*asked, "-o", "jsonpath={.status.phase}", check=False)


def kill_engine(run: Run[Any]) -> None:
    lock = (run.folder / "engine.lock").read_text()
    os.kill(int(lock.partition('"pid": ')[2].partition(",")[0]), signal.SIGKILL)
    until(lambda: not RunFolder(run.folder).lock().held())


@pytest.mark.kubernetes
def test_an_answer_that_ends_the_run_here_reaches_the_workflow_too(argo: Kubernetes) -> None:
    run = asks.submit(on="argo")
    assert run.wait(90) == "Suspended"
    run.resume(7)
    assert run.wait(90) == "Succeeded"
    assert run.result == 7
    until(lambda: phase_there(argo, run) == "Succeeded")


@pytest.mark.kubernetes
def test_a_run_without_an_engine_is_cancelled_in_argo_too(argo: Kubernetes) -> None:
    run = naps.submit(300.0, on="argo")
    until(lambda: phase_there(argo, run) == "Running")
    kill_engine(run)
    run.cancel()
    assert run.phase == "Failed"
    until(lambda: phase_there(argo, run) == "Failed")


class Refusing(BaseHTTPRequestHandler):
    """A server of Argo that knows nobody's token, or answers otherwise."""

    code = 401

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Prints nothing."""


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Refusing]]:
    """That server, at the executor `argo`."""
    handler = type("Refusing", (Refusing,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    s3 = '{"type": "s3", "endpoint": "http://127.0.0.1:1", "bucket": "bucket"}'
    url = f"http://127.0.0.1:{server.server_address[1]}"
    table = f'{{"type": "argo", "server": "{url}", "namespace": "argo", "storage": "bucket"}}'
    settings = {"EXECUTORS": f'{{"argo": {table}}}', "STORAGES": f'{{"bucket": {s3}}}', "RUNS": str(tmp_path / "runs")}
    for name, value in {**settings, "PROGRESS": "false"}.items():
        monkeypatch.setenv(f"SCIFLOW_{name}", value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    yield handler
    server.shutdown()
    server.server_close()


def test_a_server_that_refuses_fails_all_that_the_run_comes_to_its_exit_handler_too(refusing: type[Refusing]) -> None:
    run = naps.submit(0.0, on="argo")
    assert run.wait(60) == "Failed"
    assert [task.path for task in run.failed_tasks()] == ["nap", "on-exit"]
    assert "renew `token`" in run.report()


def test_a_run_that_is_resumed_with_a_wrong_token_can_be_resumed_again(refusing: type[Refusing]) -> None:
    refusing.code = 503
    run = naps.submit(0.0, on="argo")
    until(lambda: "waiting" in (run.folder / "logs" / "engine.log").read_text())
    kill_engine(run)
    refusing.code = 401
    run.resume()
    assert run.wait(60) == "Suspended"
    assert not run.failed_tasks()
    assert "renew `token`" in run.report()
