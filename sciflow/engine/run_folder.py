"""A run's folder: where what lies, and the lock that keeps a second engine out.

run.db          all that is recorded
engine.lock     held by the engine at work
control/        requests to the engine, a file each
tasks/<path>/   what a task left behind: output files, files in its working folder
artifacts/      files and folders that the run was given
values/         large values, packed
code/           the script as it was, and functions that are in no file
modules/        of an adopted run: the user's modules as they came with it
logs/           what workers printed
work/           scratch folders of workers; empty when no engine is at work
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sciflow.errors import RunBusy, RunDamaged, RunNotFound
from sciflow.runner.file_lock import NoLocks, grasped, held, takes_locks

PARTS = ("control", "tasks", "artifacts", "values", "code", "logs", "work")
LAST = "last"
HIDDEN = ".new-"  # before the id of a run that is still being made
PATIENCE_S = 0.1  # for which an engine that starts puts up with those who only look whether one is at work


class RunFolder(msgspec.Struct, frozen=True):
    """The paths of one run."""

    root: Path

    @property
    def id(self) -> str:
        """The run's id: its folder's name."""
        return self.root.name

    @property
    def name(self) -> str:
        """The run's name in its id, `<name>-<date>-<time>-<random>`."""
        return self.id.rsplit("-", 3)[0]

    @property
    def database(self) -> Path:
        """The run's database."""
        return self.root / "run.db"

    def part(self, name: str) -> Path:
        """One of the folder's parts."""
        return self.root / name

    def task(self, path: str) -> Path:
        """Where a task's files are kept; exists only if there are any."""
        return self.root / "tasks" / path

    def complete(self) -> None:
        """Make the parts that are not there: a copy of a run may have lost its empty folders."""
        for name in PARTS:
            self.part(name).mkdir(exist_ok=True)

    def lock(self) -> EngineLock:
        """The lock of the engine at work."""
        return EngineLock(self.root / "engine.lock")


class EngineLock:
    """Held while an engine works on the run. The system frees it when the holder dies, so it is never stale."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            RunBusy: another engine holds it.
            RunDamaged: it cannot be had by anybody.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunDamaged(f"{self._path}: {error.strerror}: the run's folder must exist and be writable") from error
        try:
            locked = _locked(fd)
        except NoLocks as error:
            os.close(fd)
            raise _lockless(self._path.parent) from error
        if not locked:
            holder = self.holder()
            os.close(fd)
            raise RunBusy(f"{self._path.parent}: another engine works on this run ({holder})")
        self._fd = fd
        os.ftruncate(fd, 0)
        with suppress(OSError):  # on a full disk it is not said who holds it, which he does all the same
            os.write(fd, json.dumps({"pid": os.getpid(), "host": os.uname().nodename, "since": time.time()}).encode())

    def release(self) -> None:
        """Gives the lock back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def held(self) -> bool:
        """Whether an engine holds the lock now.

        Raises:
            RunDamaged: nobody knows, since the file system has no locks.
        """
        try:
            return held(str(self._path))
        except NoLocks as error:
            raise _lockless(self._path.parent) from error
        except OSError:
            return False

    def holder(self) -> str:
        """Who wrote itself into the lock last."""
        try:
            facts = json.loads(self._path.read_text() or "{}")
        except (OSError, ValueError):
            return "unknown"
        return f"process {facts.get('pid')} on {facts.get('host')}"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def _locked(fd: int) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not grasped(fd):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _lockless(folder: Path) -> RunDamaged:
    return RunDamaged(
        f"{folder}: its file system has no locks, by which engines keep out of each other's way\n"
        "    fix:      keep runs on another file system: SCIFLOW_RUNS, or `runs` in sciflow.toml"
    )


def create_run_folder(runs: Path, name: str) -> RunFolder:
    """A new, empty run folder in `runs`, which no list of runs shows until it is `reveal`ed.

    Raises:
        RunDamaged: it cannot be made.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    root = runs / f"{HIDDEN}{name}-{stamp}-{os.urandom(2).hex()}"
    try:
        root.mkdir(parents=True)
        if not takes_locks(str(root)):
            root.rmdir()
            raise _lockless(runs)
        RunFolder(root).complete()
    except FileExistsError:
        return create_run_folder(runs, name)
    except OSError as error:
        fix = "free some space, or choose another folder: SCIFLOW_RUNS, or `runs` in sciflow.toml"
        raise RunDamaged(f"{root}: no run folder can be made: {error.strerror}\n    fix:      {fix}") from error
    return RunFolder(root)


def reveal(folder: RunFolder) -> RunFolder:
    """Gives a run that is whole its name, `<name>-<date>-<time>-<random>`."""
    beside, name = folder.root.parent, folder.root.name.removeprefix(HIDDEN)
    while (beside / name).exists():
        name = f"{name.rpartition('-')[0]}-{os.urandom(2).hex()}"
    return RunFolder(folder.root.rename(beside / name))


def find_run_folder(reference: str | Path, runs: Path) -> RunFolder:
    """The run that is meant by a folder, an id, a name (its newest), the beginning of an id, or "last".

    Raises:
        RunNotFound: none, or several ids begin so.
    """
    path = Path(reference)
    if (path / "run.db").is_file():
        return RunFolder(path.resolve())
    text = str(reference)
    found = _meant(text, list_run_folders(runs))
    if len(found) == 1:
        return found[0]
    if found:
        raise RunNotFound(f"{text!r} begins the ids of {len(found)} runs: {', '.join(f.id for f in found[:5])} ...")
    raise RunNotFound(f"no run {text!r} in {runs}: `sciflow list` shows those there are")


def _meant(text: str, known: list[RunFolder]) -> list[RunFolder]:
    """The runs that a text may mean, of which the oldest is first."""
    if text == LAST:
        return known[-1:]
    exact = [folder for folder in known if folder.id == text]
    of_name = [folder for folder in known if folder.name == text]
    return exact or of_name[-1:] or [folder for folder in known if folder.id.startswith(text)]


def list_run_folders(runs: Path) -> list[RunFolder]:
    """Every run in a folder, the oldest first."""
    try:
        entries = [e for e in os.scandir(runs) if e.name[0] != "." and os.path.isfile(os.path.join(e.path, "run.db"))]
    except FileNotFoundError:
        return []
    return [
        RunFolder(Path(e.path)) for e in sorted(entries, key=lambda e: (e.name.rsplit("-", 3)[1:3], e.stat().st_mtime))
    ]


def abandoned(runs: Path, *, before_s: float) -> list[Path]:
    """The folders of runs that are still being made and in which nothing has changed since that moment."""
    return [folder for folder in sorted(runs.glob(f"{HIDDEN}*")) if _changed_last(folder) < before_s]


def _changed_last(folder: Path) -> float:
    """When anything in a folder was last written, made or removed."""
    moments = []
    for place, _, files in os.walk(folder):
        for path in (place, *(os.path.join(place, name) for name in files)):
            with suppress(FileNotFoundError):
                moments.append(os.lstat(path).st_mtime)
    return max(moments, default=time.time())
