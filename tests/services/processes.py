"""Processes of a service: started in the foreground, noted with pid and start time, ended by these alone.

A pid may be given to somebody else later; pid and start time together name one process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MARK = "SCIFLOW_TEST_SERVICE"  # in the environment of each process of a service: its folder


class ServiceFailed(RuntimeError):
    """A service that should run does not; with the end of its log."""


@dataclass(frozen=True)
class ProcessId:
    """One process of this boot."""

    pid: int
    started: str  # in clock ticks since boot, as /proc says it

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """None: there is no such process, or it has ended and only waits to be collected."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, fields[19])

    @classmethod
    def read(cls, path: Path) -> ProcessId | None:
        try:
            pid, started = path.read_text("utf-8").split()
        except (OSError, ValueError):
            return None
        return cls(int(pid), started)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(f"{self.pid} {self.started}\n", "utf-8")
        beside.replace(path)

    @property
    def alive(self) -> bool:
        return self == ProcessId.of(self.pid)

    def signal(self, number: int) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, *, patience_s: float = 5.0) -> None:
        """SIGTERM, then SIGKILL; returns when it is gone."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if not soon(lambda: not self.alive, patience_s):
            self.signal(signal.SIGKILL)
            soon(lambda: not self.alive, 5.0)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # if it is a child of ours


@dataclass(frozen=True)
class Started:
    """How a process was started."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, pid: int) -> Started:
        argv, env = (Path(f"/proc/{pid}/{part}").read_bytes().split(b"\0")[:-1] for part in ("cmdline", "environ"))
        pairs = (line.decode().partition("=") for line in env)
        return cls([word.decode() for word in argv], {name: value for name, _, value in pairs})


def soon(condition: Callable[[], object], patience_s: float, *, every_s: float = 0.02) -> bool:
    """Whether it came true in that time."""
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(every_s)
    return True


class Processes:
    """Those of one service in one folder: `pids/<name>` and `log/<name>.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log(self, name: str) -> Path:
        return self._folder / "log" / f"{name}.log"

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, MARK: str(self._folder), **more}

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], object] = lambda: True,
        patience_s: float = 20.0,
        inherits: bool = True,
    ) -> None:
        """Starts a program that stays in the foreground and waits until it is ready.

        `inherits`: it has this process's environment, beside `env`.
        """
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self.environment(**(env or {})) if inherits else env,
                cwd=self._folder,
                start_new_session=True,
            )
        process.returncode = 0  # it is ended by `end`: not a matter of garbage collection
        identity = ProcessId.of(process.pid)
        if identity is not None:
            identity.write(self._folder / "pids" / name)
        came = soon(lambda: identity is None or not identity.alive or ready(), patience_s)
        if identity is None or not identity.alive or not came:
            what = "is not ready" if identity and identity.alive else "ended at once"
            raise ServiceFailed(f"{name} {what}: {' '.join(argv)}\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 20) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log(name).read_text("utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def get(self, name: str) -> ProcessId | None:
        return ProcessId.read(self._folder / "pids" / name)

    def kill(self, name: str) -> Started:
        """As a machine that goes down does it; how to start it again.

        Raises:
            ServiceFailed: it does not run.
        """
        identity = self.get(name)
        if identity is None or not identity.alive:
            raise ServiceFailed(f"{name} does not run\n{self.tail(name)}")
        started = Started.of(identity.pid)
        identity.signal(signal.SIGKILL)
        soon(lambda: not identity.alive, 5.0)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(identity.pid, os.WNOHANG)
        return started

    def start_again(self, name: str, started: Started, *, ready: Callable[[], object], patience_s: float) -> None:
        """As it was before."""
        self.start(name, started.argv, env=started.env, ready=ready, patience_s=patience_s, inherits=False)

    def names(self) -> list[str]:
        """In the order of their start."""
        pids = [path for path in (self._folder / "pids").glob("*") if not path.name.startswith(".")]
        return [path.name for path in sorted(pids, key=lambda path: path.stat().st_mtime_ns)]

    def alive(self) -> list[str]:
        return [name for name in self.names() if (identity := self.get(name)) and identity.alive]

    def end(self, *names: str, patience_s: float = 5.0) -> None:
        """Ends those, or all in the reverse order of their start."""
        for name in names or reversed(self.names()):
            if identity := self.get(name):
                identity.end(patience_s=patience_s)
            (self._folder / "pids" / name).unlink(missing_ok=True)

    def end_descendants(self) -> None:
        """Ends what the service's programs started and left: whatever has the service's folder in its environment."""
        for identity in list(self.marked()):
            identity.signal(signal.SIGKILL)

    def marked(self) -> Iterator[ProcessId]:
        """Processes of this service, children of children too, by the mark in their environment."""
        mark = f"{MARK}={self._folder}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            identity = ProcessId.of(int(entry.name))
            if marked and identity and identity.pid != os.getpid():
                yield identity


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on now, below the range that the kernel takes for connections."""
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            port = 10_000 + int.from_bytes(os.urandom(4), "big") % 20_000
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                ports.append(port)
    return ports


def listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex(("127.0.0.1", port)) == 0
