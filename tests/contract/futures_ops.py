"""An op that kills the worker of the pool under which it runs, once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sciflow import op


def ancestors() -> list[int]:
    """This process's parent, its parent, and so on."""
    found, pid = [], os.getpid()
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
        found.append(pid)
    return found


@op(retries=2, backoff_s=0.1)
def kill_worker_once(mark: str, x: int) -> int:
    """The number."""
    import time

    if x == 1 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(ancestors()[2], signal.SIGKILL)  # the element, what looks after it, the pool's worker
        time.sleep(30)
    return x


@op
def plus_one(x: int) -> int:
    """The next number."""
    return x + 1
