"""Batch systems that cannot be had freely, or not here, as programs that behave like theirs and really run jobs.

`StandIn.make("pbs", folder, slots=8)` writes the programs to `folder/bin`, to be put on a PATH (also of an sshd).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.stand_ins import queue_engine

HERE = Path(__file__).parent
PROGRAMS = {
    "pbs": ("qsub", "qstat", "qdel", "qhold", "qrls", "qrerun", "qselect"),
    "lsf": ("bsub", "bjobs", "bkill", "bstop", "bresume", "brequeue", "bqueues", "bparams"),
}


class StandIn(NamedTuple):
    """A queue of its own."""

    system: str
    home: Path

    @classmethod
    def make(cls, system: str, home: Path, **config: Any) -> StandIn:
        """`config`: slots, delay_s (how late a status is), max_array, max_jobs, queues, dialect (pro or torque)."""
        queue_engine.make(home, **{"queues": ["normal", "short"] if system == "lsf" else ["workq", "short"], **config})
        (home / "bin").mkdir(exist_ok=True)
        for program in PROGRAMS[system]:
            path = home / "bin" / program
            path.write_text(
                f'#!/bin/sh\nexec {sys.executable} -S -E {HERE}/{system}_programs.py {home} {program} "$@"\n'
            )
            path.chmod(0o755)
        return cls(system, home)

    @property
    def path(self) -> str:
        """The folder to be put on the PATH."""
        return str(self.home / "bin")

    @property
    def env(self) -> dict[str, str]:
        """What a client's environment must hold."""
        return {"PATH": f"{self.path}:{os.environ['PATH']}"}

    def down(self, down: bool = True) -> None:
        """Its server answers no more, or again."""
        (self.home / "down").touch() if down else (self.home / "down").unlink(missing_ok=True)

    def hold_next(self) -> None:
        """The next job is held as by an administrator."""
        (self.home / "hold-next").touch()

    def lose_next(self) -> None:
        """The next job is taken, gets an id, and is never heard of again."""
        (self.home / "lose-next").touch()

    def wish(self, job: int, element: int | None, wish: str) -> None:
        """`lose`, `fail-node`, `requeue`, `hold`, `release` or `end`, by the system's numbers."""
        queue_engine.Queue(self.home).wish(job, None if element is None else [element], wish)

    def close(self) -> None:
        """Ends its scheduler and what it runs."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int((self.home / "scheduler.pid").read_text()), signal.SIGTERM)
        for row in queue_engine.Queue(self.home).rows("state = 'running'"):
            with contextlib.suppress(ProcessLookupError, PermissionError, TypeError):
                os.killpg(row["pid"], signal.SIGKILL)
        time.sleep(0.05)
