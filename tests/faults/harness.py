"""What the fault tests share: finding and killing the processes of a run, and reading what it has recorded.

Every process that descends from a test carries the test's mark in its environment, so that none is overlooked, whatever
session or group it has moved to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

MARK = "FAULTS_MARK"
ROOT = Path(__file__).parents[2]
NEEDS_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc")
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="a small disk can be mounted by root only")


@dataclass(frozen=True)
class Process:
    """A running process that carries a mark."""

    pid: int
    command: str

    @property
    def is_engine(self) -> bool:
        return "sciflow.engine" in self.command

    @property
    def keeps_connection(self) -> bool:
        return "transports.connection_process" in self.command

    @property
    def is_worker(self) -> bool:
        return "sciflow.runner" in self.command

    def kill(self, number: int = signal.SIGKILL, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)


@dataclass(frozen=True)
class Processes:
    """The running processes that carry a mark, but for this one."""

    mark: str

    def all(self) -> list[Process]:
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    command = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(Process(int(entry.name), command))
            except OSError:  # it has just ended
                continue
        return found

    def engines(self) -> list[Process]:
        return [process for process in self.all() if process.is_engine]

    def workers(self) -> list[Process]:
        """Worker processes; what an op has forked looks alike, so only leaders of a session count."""
        return [process for process in self.all() if process.is_worker and _leads(process.pid)]

    def end(self) -> None:
        for process in self.all():
            process.kill()

    def gone(self, timeout_s: float = 10.0) -> bool:
        return eventually(lambda: not self.all(), timeout_s=timeout_s)


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def eventually(holds: Callable[[], object], *, timeout_s: float = 20.0, pause_s: float = 0.01) -> bool:
    """Whether something comes true within the time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(pause_s)
    return bool(holds())


@dataclass(frozen=True)
class Ended:
    """A task's end as recorded."""

    phase: int
    started: float
    worker: str


@dataclass(frozen=True)
class Record:
    """What a run's database holds, read as any program with SQLite would."""

    tasks: dict[str, Ended]
    attempts: int

    @classmethod
    def of(cls, folder: Path) -> Record:
        db = sqlite3.connect(folder / "run.db", timeout=10)
        try:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = db.execute(
                "SELECT path, slice, t.phase, started, worker FROM task t JOIN node n ON n.id = t.node"
            ).fetchall()
            (attempts,) = db.execute("SELECT count(*) FROM attempt").fetchone()
        finally:
            db.close()
        tasks = {
            path if slice_ < 0 else f"{path}/{slice_}": Ended(phase, started, worker)
            for path, slice_, phase, started, worker in rows
            if worker  # not a sub-workflow, an answer, or taken from the cache
        }
        return cls(tasks, attempts)


def integrity(database: Path) -> str:
    """What SQLite says of a database."""
    db = sqlite3.connect(database)
    try:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        db.close()


@dataclass(frozen=True)
class Tally:
    """A file to which each task appends its path when it begins."""

    path: Path

    def read(self) -> Counter[str]:
        return Counter(self.path.read_text().splitlines()) if self.path.exists() else Counter()


@dataclass(frozen=True)
class Bench:
    """A test's own place: a folder for runs, a tally, its processes."""

    folder: Path
    tally: Tally
    processes: Processes

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def let_go_on(self) -> None:
        """Lets tasks that are patient end."""
        (self.folder / "go on").touch()

    def script(
        self, text: str, *args: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Runs a user's script to its end."""
        script = self.folder / "script.py"
        script.write_text(text)
        return _end([sys.executable, script.name, *args], cwd=self.folder, env=env, stdin=stdin, timeout_s=timeout_s)


def sciflow(*args: object, cwd: Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """The command line, to its end."""
    program = str(Path(sys.executable).with_name("sciflow"))
    return _end([program, *map(str, args)], cwd=cwd, timeout_s=timeout_s)


def _end(
    argv: Sequence[str], *, cwd: Path, timeout_s: float, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
    )
