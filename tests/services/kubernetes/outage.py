"""A part of the cluster dies and comes back. All tests share the cluster: let a part be away for seconds only."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.kubernetes.cluster import ADDRESS, ARGO_PORT, CONTROLLER_PORT
from tests.services.kubernetes.parts import PATIENCE_S
from tests.services.processes import Processes
from tests.services.s3 import S3Server

_HEALTH = {
    "kubelet": (ADDRESS, 10248, "/healthz"),
    "workflow-controller": ("127.0.0.1", CONTROLLER_PORT, "/healthz"),
    "argo-server": ("127.0.0.1", ARGO_PORT, "/api/v1/info"),
}


@contextmanager
def without(folder: Path, part: str) -> Iterator[None]:
    """One of `kubelet`, `workflow-controller`, `argo-server` is killed, and started again at the end."""
    address, port, path = _HEALTH[part]
    with _dead(Processes(folder), part, address, port, path):
        yield


@contextmanager
def without_s3(s3: S3Server) -> Iterator[None]:
    """The server of artifacts is killed, and started again at the end."""
    with _dead(s3.processes, s3.kind, "127.0.0.1", s3.port, "/"):
        yield


@contextmanager
def _dead(processes: Processes, name: str, address: str, port: int, path: str) -> Iterator[None]:
    started = processes.kill(name)
    try:
        yield
    finally:
        processes.start_again(name, started, ready=lambda: _serves(address, port, path), patience_s=PATIENCE_S)


def _serves(address: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in {200, 403}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
