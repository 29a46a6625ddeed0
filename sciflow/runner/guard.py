"""Ends what an op's children have become, when the engine has died and taken the worker with it.

The kernel kills a worker's process group at the engine's death; children that have left for sessions of their own it
does not. So when the first process is started, a guard is set up beside the worker: a shell, small and soon there,
that waits for the end of the life line and then lets this file look for processes with the worker's mark. An engine
that lives looks for them itself when a worker was killed, which had no time for that.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any

MARK = "SCIFLOW_SCRATCH"  # in a worker's environment, and so in that of all its descendants: its scratch folder's name
STARTS = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.spawn", "pty.spawn"}
)
PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37  # linux/prctl.h
SIGKILL, SIGSTOP = 9, 19
PATIENCE_S = 2.0
GUARD_PATIENCE_S = 5.0  # nobody waits for a guard
LOOKS = 3  # in a row that must find nothing: a process that is just becoming another program shows no environment
BETWEEN_LOOKS_S = 0.01
# Descriptor 3 is the life line, on which nothing is ever said.
_WAIT = 'cd /; { read -r said <&3 || exec "$@" 3<&-; } >/dev/null 2>&1 & echo $!'


class Guard:
    """Set up once, before the first process that this one starts; it outlives this one, unless that ends in order."""

    def __init__(self, life: int) -> None:
        """`life`: the end to read from of a pipe that ends with the engine."""
        self._life = life
        self._owner = os.getpid()
        self._pid = 0
        self._wanted = os.path.isfile(__file__) and MARK in os.environ and sys.platform == "linux"
        if self._wanted:
            sys.addaudithook(self._hook)

    def _hook(self, event: str, _: tuple[Any, ...]) -> None:
        if self._wanted and event in STARTS:
            self._wanted = False
            self._start()

    def _start(self) -> None:
        import ctypes

        line = os.open(f"/proc/self/fd/{self._life}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(line, True)
        prctl = ctypes.CDLL(None).prctl
        adopting = ctypes.c_int()
        prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(adopting), 0, 0, 0)
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)  # the guard is to be nobody's child: those an op leaves are ended
        try:
            self._pid = _spawn(line)
        finally:
            prctl(PR_SET_CHILD_SUBREAPER, adopting.value, 0, 0, 0)
            os.close(line)

    def end(self) -> None:
        """The worker ends in order: nothing is left to look for."""
        self._wanted = False
        if self._pid and os.getpid() == self._owner:
            _kill(self._pid, SIGKILL)


def _spawn(line: int) -> int:
    """The process id of a guard that waits for the end of `line`."""
    told, tell = os.pipe()
    argv = ["sh", "-c", _WAIT, "sciflow-guard", sys.executable, "-I", "-S", __file__]
    actions = [(os.POSIX_SPAWN_DUP2, tell, 1), (os.POSIX_SPAWN_DUP2, line, 3)]
    try:
        shell = os.posix_spawn("/bin/sh", argv, os.environ, file_actions=actions, setsid=True)
        os.close(tell)
        tell = -1
        os.waitpid(shell, 0)
        return int(os.read(told, 32) or 0)
    finally:
        os.close(told)
        if tell >= 0:
            os.close(tell)


def end_strays(marks: AbstractSet[str], patience_s: float = PATIENCE_S) -> int:
    """Kill what is left of the workers with those marks, but for this process; how many there were."""
    killed: set[int] = set()
    settings = {f"{MARK}={mark}".encode() for mark in marks}
    limit, looks = time.monotonic() + patience_s, 0
    while looks < LOOKS and time.monotonic() < limit:
        found = _marked(settings)
        looks = 0 if found else looks + 1
        # stopped first, all of them, so that none makes another while the others are killed
        for number in (SIGSTOP, SIGKILL):
            for pid in found - killed:
                _kill(pid, number)
        killed |= found
        time.sleep(BETWEEN_LOOKS_S)
    return len(killed)


def _marked(marks: AbstractSet[bytes]) -> set[int]:
    """The processes with one of these in their environment, where there is a /proc to look at."""
    found = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    settings = file.read().split(b"\0")
            except OSError:  # it has ended, or is somebody else's
                continue
            if not marks.isdisjoint(settings):
                found.add(int(name))
    return found


def _kill(pid: int, number: int) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    end_strays({os.environ[MARK]}, GUARD_PATIENCE_S)
