"""`python -m tests.services [install|start|stop|status] [NAME ...]`: the services of the tests, from the terminal."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.services import instances
from tests.services.catalogue import ON_REQUEST, SERVICES
from tests.services.processes import Processes, ServiceFailed
from tests.services.service import NotHereError, Service

Row = tuple[bool, str, str]  # all is well, state, details


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
    Console().print(table)
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
    if Processes(folder).alive():
        return True, "runs already", str(folder)
    if why := service.missing():
        return False, "missing", why
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    env: Mapping[str, str] = getattr(service.start(folder), "env", {})
    return True, "runs", "\n".join([str(folder), *(f"export {name}={value}" for name, value in env.items())])


def _stop(service: Service[Any]) -> Row:
    folder: Path = instances.kept(service)
    if not folder.exists():
        return True, "did not run", ""
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
