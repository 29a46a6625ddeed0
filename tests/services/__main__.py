"""`python -m tests.services [install|start|stop|status] [NAME ...]`: the services of the tests, from the terminal.

`start` writes to stdout what a shell takes, `eval "$(python -m tests.services start s3)"`, and its table to stderr.
What runs already is told again. An sshd is the login node of the Slurm whose `SLURM_CONF` the terminal has.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.services import instances
from tests.services.catalogue import ON_REQUEST, SERVICES
from tests.services.kubernetes.service import Kubernetes
from tests.services.podman import Podman
from tests.services.processes import Processes, ServiceFailed
from tests.services.s3 import S3Server
from tests.services.service import NotHereError, Service, SharedService
from tests.services.sshd import Sshd, SshdService

Row = tuple[bool, str, str]  # all is well, state, details

_LINES = "lines"
_OF_A_LOGIN_NODE = ("SLURM_CONF",)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    verbs: dict[str, Callable[[Service[Any]], Row]] = {
        "install": _install,
        "check": _check,
        "start": _start,
        "stop": _stop,
        "status": _status,
    }
    arguments.add_argument("verb", nargs="?", choices=list(verbs), default="status")
    arguments.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(SERVICES)}; all but sge if none is given"
    )
    chosen = arguments.parse_args()
    if unknown := set(chosen.names) - set(SERVICES):
        arguments.error(f"no service {', '.join(sorted(unknown))}; there are {', '.join(SERVICES)}")
    instances.sweep()
    names = chosen.names or [name for name in SERVICES if name not in ON_REQUEST or chosen.verb in {"status", "stop"}]
    services = [SERVICES[name] for name in names]
    with ThreadPoolExecutor(len(services)) as pool:
        rows = list(pool.map(lambda service: _timed(verbs[chosen.verb], service), services))
    table = Table("service", "what", "state", "seconds")
    table.add_column("details", overflow="fold")
    for service, (_, state, details, seconds) in zip(services, rows, strict=True):
        table.add_row(service.name, service.what, state, f"{seconds:.1f}", details)
    Console(stderr=chosen.verb == "start").print(table)
    if chosen.verb == "start":
        print("".join(_told(instances.kept(service)) for service in services), end="")
    return 0 if all(well for well, *_ in rows) else 1


def _timed(verb: Callable[[Service[Any]], Row], service: Service[Any]) -> tuple[bool, str, str, float]:
    began = time.monotonic()
    try:
        well, state, details = verb(service)
    except (NotHereError, ServiceFailed) as problem:
        well, state, details = False, "failed", str(problem)
    return well, state, details, time.monotonic() - began


def _install(service: Service[Any]) -> Row:
    service.install()
    why = service.missing()
    return (False, "missing", why) if why else (True, "installed", "")


def _check(service: Service[Any]) -> Row:
    """Started in a folder of its own, and stopped."""
    if why := service.missing():
        return False, "missing", why
    with instances.running(service):
        return True, "starts", ""


def _start(service: Service[Any]) -> Row:
    folder = instances.kept(service)
    ran = bool(Processes(folder).alive())
    if not ran and (why := service.missing()):
        return False, "missing", why
    if isinstance(service, SharedService):
        _note(folder, instances.hold(service))
        return True, "runs already" if ran else "runs", str(folder)
    with instances.changing(service):
        return _start_own(service, folder)


def _start_own(service: Service[Any], folder: Path) -> Row:
    if Processes(folder).alive():
        return True, "runs already", str(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if isinstance(service, SshdService):
        service = replace(service, env={name: os.environ[name] for name in _OF_A_LOGIN_NODE if name in os.environ})
    try:
        _note(folder, service.start(folder))
    except ServiceFailed:
        instances.remove(service, folder)
        raise
    return True, "runs", str(folder)


def _note(folder: Path, started: object) -> None:
    (folder / _LINES).write_text(_lines(started), "utf-8")


def _lines(started: object) -> str:
    """For a shell: variables that clients need, and how it is reached."""
    env: Mapping[str, str] = getattr(started, "env", {})
    lines = [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
    match started:
        case Sshd():
            lines.append(f"# ssh -F {started.config} {started.host}")
        case S3Server():
            lines.append(f"# endpoint {started.url}, bucket {started.bucket}")
        case Kubernetes():
            lines.append(
                f"# images {started.base_image}, {started.ase_image}; S3 credentials in secret {started.s3_secret}"
            )
        case Podman():
            lines.append(f"# images {started.python_image}, {started.bare_image}")
    return "".join(f"{line}\n" for line in lines)


def _told(folder: Path) -> str:
    path = folder / _LINES
    return path.read_text("utf-8") if path.exists() else ""


def _stop(service: Service[Any]) -> Row:
    folder: Path = instances.kept(service)
    if not folder.exists():
        return True, "did not run", ""
    if isinstance(service, SharedService):
        return (True, "stopped", "") if instances.let_go(service) else (True, "let go", "others use it still")
    with instances.changing(service):
        instances.remove(service, folder)
    return True, "stopped", ""


def _status(service: Service[Any]) -> Row:
    folder = instances.kept(service)
    if alive := Processes(folder).alive():
        return True, "runs", f"{folder}: {', '.join(alive)}"
    why = service.missing()
    return True, "missing" if why else "can be started", why


if __name__ == "__main__":
    sys.exit(main())
