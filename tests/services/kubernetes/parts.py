"""Starting one part of the cluster and asking whether it does its work yet."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.services.kubernetes import programs
from tests.services.processes import Processes, ServiceFailed, soon

PATIENCE_S = 120.0
_NO_MORE: Mapping[str, str] = {}


def start_part(
    folder: Path, name: str, *arguments: str, program: str = "", env: Mapping[str, str] | None = None
) -> None:
    """Starts one of the programs that were built, and does not wait."""
    Processes(folder).start(name, [str(programs.folder() / (program or name)), *arguments], env=env)


def until(folder: Path, part: str, condition: Callable[[], object]) -> None:
    """Waits; a condition that raises ServiceFailed has not come true yet.

    Raises:
        ServiceFailed: the part that is to make it true has ended, or takes too long.
    """
    processes = Processes(folder)
    last = ""

    def came() -> bool:
        nonlocal last
        try:
            return part not in processes.alive() or bool(condition())
        except ServiceFailed as problem:
            last = str(problem)
            return False

    in_time = soon(came, PATIENCE_S, every_s=0.2)
    if not in_time or part not in processes.alive():
        what = f"does not answer after {PATIENCE_S:.0f} s: {last}" if not in_time else "ended"
        raise ServiceFailed(f"{part} {what}\n{processes.tail(part)}")


def kubectl(folder: Path, *arguments: str) -> str:
    """What it printed.

    Raises:
        ServiceFailed: with what it said.
    """
    argv = [str(programs.folder() / "kubectl"), f"--kubeconfig={kubeconfig(folder)}", *arguments]
    done = _run(argv)
    if done.returncode:
        raise ServiceFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def is_so(folder: Path, condition: str, *things: str) -> bool:
    """Whether those things are `Ready`, `Established`, ..."""
    return bool(kubectl(folder, "wait", f"--for=condition={condition}", "--timeout=1s", *things))


def kubeconfig(folder: Path, user: str = "admin") -> Path:
    return folder / "keys" / f"{user}.kubeconfig"


def ctr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The client of containerd, in the namespace that kubelet uses."""
    return _run(["ctr", f"--address={folder}/containerd/sock", "--namespace=k8s.io", *arguments])


def end_containers(folder: Path) -> None:
    """All of them, with the pods' own first processes."""
    for kind, verb in (("tasks", ("rm", "--force")), ("containers", ("rm",))):
        if names := ctr(folder, kind, "ls", "-q").stdout.split():
            ctr(folder, kind, *verb, *names)


def listens(address: str, port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex((address, port)) == 0


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    # A KUBECONFIG or ARGO_TOKEN of the terminal is about another cluster.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "ARGO_"))}
    return subprocess.run(
        argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE_S
    )
