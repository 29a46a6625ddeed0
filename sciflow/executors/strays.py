"""Processes that have outlived their worker: found by a mark in their environment, and ended.

What an op starts belongs to its worker's process group and ends with it. A child that has left for a session of its own
is found by the worker after each slice; but a worker that was killed has had no time for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Set as AbstractSet
from pathlib import Path

from sciflow.executors.spawned import MARK

PATIENCE_S = 2.0
LOOKS = 3  # in a row that must find nothing: a process that is just becoming another program shows no environment
BETWEEN_LOOKS_S = 0.01


def end_strays(marks: AbstractSet[str]) -> int:
    """Kills what is left of the workers with those marks; how many processes there were."""
    killed: set[int] = set()
    texts = {f"{MARK}={mark}".encode() for mark in marks}
    limit, looks = time.monotonic() + PATIENCE_S, 0
    while looks < LOOKS and time.monotonic() < limit:
        found = _marked(texts)
        looks = 0 if found else looks + 1
        # stopped first, all of them, so that none makes another while the others are killed
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found - killed:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        killed |= found
        time.sleep(BETWEEN_LOOKS_S)
    return len(killed)


def _marked(texts: AbstractSet[bytes]) -> set[int]:
    """The processes with one of these in their environment, where there is a /proc to look at."""
    found = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                if not texts.isdisjoint(Path("/proc", name, "environ").read_bytes().split(b"\0")):
                    found.add(int(name))
    return found
