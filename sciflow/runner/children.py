"""Processes that an op has left behind: found and ended with all their descendants."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SIGKILL, SIGSTOP = 9, 19
PATIENCE_S = 5.0
STARTS = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.spawn", "pty.spawn"}
)


class Children:
    """Knows whether this process may have children; ends those that are left.

    Nothing is looked at before the first process is started: an audit hook tells of it. From then on this process
    adopts the orphans among its descendants, so that a daemon made by a double fork is found as well.
    """

    def __init__(self) -> None:
        self.possible = False
        self._adopting = 0  # the process that does so: a fork does not inherit it
        sys.addaudithook(self._hook)

    def _hook(self, event: str, _: tuple[Any, ...]) -> None:
        if event in STARTS and not self.possible:
            self.expect()

    def expect(self) -> None:
        """Children may come from now on."""
        if self._adopting == os.getpid():
            return
        self.possible, self._adopting = True, os.getpid()
        if sys.platform == "linux":
            _adopt_orphans()

    def end(self) -> int:
        """Kill every descendant; how many there were that still ran."""
        if not _has_children():
            return 0
        killed: set[int] = set()
        limit = time.monotonic() + PATIENCE_S
        while _has_children() and time.monotonic() < limit:
            found = _descendants(os.getpid())
            fresh = found - killed
            # stopped first, all of them, so that none makes another while the others are killed
            for number in (SIGSTOP, SIGKILL) if fresh else ():
                for pid in fresh:
                    _kill(pid, number)
            killed |= fresh
            _reap()
        return len(killed)


def _adopt_orphans() -> None:
    """Have the kernel make this process the parent of its orphaned descendants."""
    try:
        import _ctypes  # what `ctypes` is made of: its own import takes longer than forking a worker

        program: Any = None  # the C library is part of it
        prctl, call = _ctypes.dlsym(_ctypes.dlopen(program, 0), "prctl"), _ctypes.call_function
    except (ImportError, AttributeError):  # another Python than CPython
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    else:
        call(prctl, (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _kill(pid: int, number: int) -> None:
    try:  # noqa: SIM105  contextlib is slow to import
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _reap() -> None:
    """Take leave of the dead; wait a moment if there are none yet."""
    reaped = False
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            reaped = True
    except ChildProcessError:
        return
    if not reaped:
        time.sleep(0.0005)


def _descendants(ancestor: int) -> set[int]:
    """The running descendants of a process."""
    parents = _parents()
    found: set[int] = set()
    level = {ancestor}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found
        found |= level
    return found


def _parents() -> dict[int, int]:
    """Process -> parent, of all processes that still run."""
    if not os.path.isdir("/proc/self"):
        return _parents_by_ps()
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in (b"Z", b"X"):
                parents[int(name)] = int(parent)
    return parents


def _parents_by_ps() -> dict[int, int]:
    import subprocess

    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in listing.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}
