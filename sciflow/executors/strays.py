"""Processes that have outlived their worker: found by a mark in their environment, and ended.

What an op starts belongs to its worker's process group and ends with it. A child that has left for a session of its own
is found by the worker after each slice; but a worker that was killed has had no time for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

MARK = "SCIFLOW_SCRATCH"  # in a worker's environment, and so in that of all its descendants: its scratch folder
PATIENCE_S = 2.0
LOOKS = 3  # in a row that must find nothing: a process that is just becoming another program shows no environment
BETWEEN_LOOKS_S = 0.01


def end_strays(scratch: Path) -> int:
    """Kills what is left of the worker with that scratch folder, or of all with one inside; how many there were."""
    killed: set[int] = set()
    limit, looks = time.monotonic() + PATIENCE_S, 0
    while looks < LOOKS and time.monotonic() < limit:
        found = _marked(f"{MARK}={scratch}".encode())
        looks = 0 if found else looks + 1
        # stopped first, all of them, so that none makes another while the others are killed
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found - killed:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        killed |= found
        time.sleep(BETWEEN_LOOKS_S)
    return len(killed)


def _marked(mark: bytes) -> set[int]:
    """The processes with such a mark, where there is a /proc to look at."""
    found = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                environ = b"\0" + Path("/proc", name, "environ").read_bytes()
                if b"\0%s\0" % mark in environ or b"\0%s/" % mark in environ:
                    found.add(int(name))
    return found
