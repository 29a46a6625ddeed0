"""Started services, each in a folder of its own that names its owner; what a dead owner left is ended and removed.

An owner is one process, as a rule a worker of pytest, so that what one test stops nobody else misses. Services started
on the command line have no owner and run until they are stopped there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.services import packages
from tests.services.catalogue import SERVICES
from tests.services.processes import ProcessId
from tests.services.service import Service

R = TypeVar("R")

_OWNER = "owner"


def base() -> Path:
    """Where all services of this user lie: a short path, for the sockets in it."""
    folder = Path(tempfile.gettempdir()) / f"sciflow-services-{os.geteuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or set TMPDIR")
    return folder


@contextmanager
def running(service: Service[R]) -> Iterator[R]:
    """The service, started for this process and stopped at the end."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{service.name}-", dir=base()))
    folder.chmod(0o755)
    owner = ProcessId.of(os.getpid())
    assert owner is not None
    owner.write(folder / _OWNER)
    try:
        yield service.start(folder)
    finally:
        remove(service, folder)


def kept(service: Service[object]) -> Path:
    """The folder of the one that the command line starts."""
    return base() / service.name


def remove(service: Service[R], folder: Path) -> None:
    """Stops what runs in the folder, and the folder is gone."""
    service.stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[Path]:
    """Removes what processes that are gone have left."""
    with packages.alone("sweep"):
        left = [
            folder
            for folder in base().iterdir()
            if (owner := ProcessId.read(folder / _OWNER)) is not None and not owner.alive
        ]
        for folder in left:
            if service := SERVICES.get(folder.name.rpartition("-")[0]):
                remove(service, folder)
    return left
