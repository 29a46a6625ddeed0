"""Started services, each in a folder of its own that names its owner; what a dead owner left is ended and removed.

An owner is one process, as a rule a worker of pytest, so that what one test stops nobody else misses. A service that a
machine has room for only once has users instead: the first starts it, the last stops it. The command line is a user of
such a one from `start` to `stop`; what else is started there has no owner, and runs until it is stopped there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from tests.services import packages
from tests.services.catalogue import SERVICES
from tests.services.processes import Processes, ProcessId
from tests.services.service import Service, SharedService

R = TypeVar("R")

_OWNER = "owner"
_USERS = "users"
_TERMINAL = "terminal"  # among the users: the command line, which is no process


def base() -> Path:
    """Where all services of this user lie: a short path, for the sockets in it."""
    folder = Path(tempfile.gettempdir()) / f"sciflow-services-{os.geteuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else: remove it, or set TMPDIR")
    return folder


def running(service: Service[R]) -> AbstractContextManager[R]:
    """The service, started for this process, or shared with others if it is of that kind, and stopped at the end."""
    sweep()
    return _shared(service) if isinstance(service, SharedService) else _own(service)


@contextmanager
def _own(service: Service[R]) -> Iterator[R]:
    folder = Path(tempfile.mkdtemp(prefix=f"{service.name}-", dir=base()))
    folder.chmod(0o755)
    ourselves().write(folder / _OWNER)
    try:
        yield service.start(folder)
    finally:
        remove(service, folder)


@contextmanager
def _shared(service: SharedService[R]) -> Iterator[R]:
    folder = kept(service)
    user = folder / _USERS / str(os.getpid())
    try:
        with changing(service):
            started = _joined(service, folder, user)
        yield started
    finally:
        with changing(service):
            _leave(service, folder, user)


def hold(service: SharedService[R]) -> R:
    """The one that runs, else a new one, which then runs until it is let go, and all others have left it."""
    folder = kept(service)
    user = folder / _USERS / str(os.getpid())
    with changing(service):
        try:
            started = _joined(service, folder, user)
            (folder / _USERS / _TERMINAL).touch()
            return started
        finally:
            _leave(service, folder, user)


def let_go(service: SharedService[object]) -> bool:
    """Whether nobody else uses it, and it is stopped."""
    folder = kept(service)
    with changing(service):
        (folder / _USERS / _TERMINAL).unlink(missing_ok=True)
        if _users(folder):
            return False
        remove(service, folder)
        return True


def _joined(service: SharedService[R], folder: Path, user: Path) -> R:
    """The one that runs, else a new one."""
    if Processes(folder).alive() and (_users(folder) or _held(folder)):
        ourselves().write(user)
        return service.found(folder)
    remove(service, folder)
    folder.mkdir(mode=0o755)
    ourselves().write(user)
    return service.start(folder)


def _leave(service: SharedService[object], folder: Path, user: Path) -> None:
    # Our own name stays until it has stopped, or a sweep would stop it at the same time.
    if user.exists() and _users(folder) == [ourselves()] and not _held(folder):
        remove(service, folder)
    user.unlink(missing_ok=True)


def _held(folder: Path) -> bool:
    return (folder / _USERS / _TERMINAL).exists()


def changing(service: Service[object]) -> AbstractContextManager[None]:
    """Nobody else starts or stops it, or begins or ends to use it."""
    return packages.alone(f"{service.name}-users")


def _users(folder: Path) -> list[ProcessId]:
    """Those that are still alive."""
    noted = [ProcessId.read(path) for path in (folder / _USERS).glob("[0-9]*")]
    return [user for user in noted if user is not None and user.alive]


def ourselves() -> ProcessId:
    """This process."""
    owner = ProcessId.of(os.getpid())
    assert owner is not None
    return owner


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
        left = [folder for folder in base().iterdir() if _left(folder)]
        for folder in left:
            if shared := SERVICES.get(folder.name):
                with changing(shared):
                    if _left(folder):  # still, now that nobody is just beginning
                        remove(shared, folder)
            elif service := SERVICES.get(folder.name.rpartition("-")[0]):
                remove(service, folder)
    return left


def _left(folder: Path) -> bool:
    if (folder / _USERS).is_dir():
        return not _users(folder) and not _held(folder)
    owner = ProcessId.read(folder / _OWNER)
    return owner is not None and not owner.alive
