"""A bench for faults on a cluster: a real Slurm behind a real SSH server, and what can be counted afterwards."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import sciflow
from sciflow.core.records import Phase
from sciflow.executors.transports.kept_connection import find
from sciflow.executors.transports.ssh_config import route
from tests.faults.harness import MARK, Bench, Process, eventually
from tests.faults.harness import sciflow as cli
from tests.services.slurm import Slurm
from tests.services.sshd import Sshd

NAME = "cluster"
PATIENCE_S = float(os.environ.get("SCIFLOW_TEST_PATIENCE_S", "120"))  # on a machine with much else to do


@dataclass(frozen=True)
class Cluster:
    """Slurm, the SSH server of its login node, and the settings of an executor there."""

    bench: Bench
    slurm: Slurm
    sshd: Sshd
    patch: pytest.MonkeyPatch

    @property
    def work_root(self) -> Path:
        return self.bench.folder / "scratch"

    @property
    def signs(self) -> Path:
        """Files by which tasks and tests tell each other something."""
        return self.bench.folder / "signs"

    @property
    def tally(self) -> Path:
        return self.signs / "tally.txt"

    def settings(self, **more: Any) -> None:
        """Has runs go there, with these settings beside the usual ones."""
        self.signs.mkdir(exist_ok=True)
        table = {
            "type": "batch",
            "system": "slurm",
            "host": self.sshd.host,
            "ssh_config": str(self.sshd.config),
            "work_root": str(self.work_root),
            "python": sys.executable,
            "look_least_s": 0.1,
            "look_most_s": 0.5,
            "marks_patience_s": 5.0,
            "settings": {"tally": str(self.tally), "signs": str(self.signs)},
            **more,
        }
        self.patch.setenv("SCIFLOW_EXECUTORS", json.dumps({NAME: table}))
        self.patch.setenv("SCIFLOW_EXECUTOR", NAME)

    def sign(self, name: str) -> None:
        """What tasks wait for has come."""
        (self.signs / name).touch()

    def controller(self, state: str) -> None:
        """Stops, starts, freezes or thaws the batch system's controller, which is no process of the test."""
        with self.patch.context() as patch:
            patch.delenv(MARK)
            {
                "stop": self.slurm.stop_controller,
                "start": self.slurm.start_controller,
                "freeze": self.slurm.freeze_controller,
                "thaw": self.slurm.thaw_controller,
            }[state]()

    # --- what can be seen

    def notes(self, what: str) -> Counter[str]:
        """How often each task has "began" or "ended", by path and attempt."""
        text = self.tally.read_text() if self.tally.exists() else ""
        found = (line.partition(" ") for line in text.splitlines())
        return Counter(task for said, _, task in found if said == what)

    def began(self, count: int) -> bool:
        return eventually(lambda: self.notes("began").total() >= count, timeout_s=PATIENCE_S, pause_s=0.05)

    def queue(self) -> list[str]:
        """The jobs that Slurm lists, an element each."""
        return self.slurm.run("squeue", "--noheader", "--array", "--format=%i %T %j").splitlines()

    def is_empty(self) -> bool:
        return eventually(lambda: not self.queue(), timeout_s=PATIENCE_S, pause_s=0.2)

    def submissions(self, run: sciflow.Run[Any]) -> dict[str, int]:
        """The run's submissions that the batch system has taken, and of how many elements each is."""
        taken = {path.parent.name for path in (self.work_root / "runs" / run.id).glob("batches/*/submitted")}
        records = [json.loads(path.read_bytes()) for path in run.folder.glob("batches/*/record.json")]
        return {record["name"]: len(record["elements"]) for record in records if record["name"] in taken}

    def finished(self) -> Counter[str]:
        """How many jobs have ended by Slurm's own log, by name."""
        text = self.slurm.finished.read_text() if self.slurm.finished.exists() else ""
        return Counter(match.group(1) for match in re.finditer(r" Name=(\S+) ", text))

    def jobs(self, run: sciflow.Run[Any]) -> list[str]:
        """Ids of the run's array jobs."""
        records = [json.loads(path.read_bytes()) for path in run.folder.glob("batches/*/record.json")]
        return sorted(record["job"] for record in records if record.get("job"))

    def elements(self, run: sciflow.Run[Any]) -> list[list[Any]]:
        """The tasks of every element that was submitted."""
        records = [json.loads(path.read_bytes()) for path in run.folder.glob("batches/*/record.json")]
        return [element for record in records for element in record["elements"]]

    def attempts(self, run: sciflow.Run[Any]) -> list[str]:
        """What is written down of attempts that others followed."""
        db = sqlite3.connect(run.folder / "run.db", timeout=10)
        try:
            return [bytes(extra).decode() for (extra,) in db.execute("SELECT extra FROM attempt ORDER BY started")]
        finally:
            db.close()

    def scripts(self) -> list[str]:
        """Job scripts, oldest first."""
        paths = sorted(self.work_root.glob("runs/*/batches/*/script.sh"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_text() for path in paths]

    def connect(self) -> None:
        """`sciflow connect`, which runs use from then on."""
        done = cli("connect", self.sshd.host, "-F", self.sshd.config, cwd=self.bench.folder)
        assert done.returncode == 0, done.stderr
        assert find(route(self.sshd.host, config=self.sshd.config)) is not None

    def connections(self) -> list[Process]:
        """The processes that keep a connection."""
        return [process for process in self.bench.processes.all() if process.keeps_connection]

    def helpers(self) -> list[psutil.Process]:
        """What runs on the host for an engine now: the runner's `host` commands, and what they have started."""
        mark, found = str(self.work_root), []
        for process in psutil.process_iter():
            try:
                argv = process.cmdline()
            except psutil.Error:
                continue
            if "host" in argv[1:4] and any(mark in word for word in argv):
                found.append(process)
        return found


def says(run: sciflow.Run[Any], *words: str, timeout_s: float = PATIENCE_S) -> bool:
    """Whether the run tells, in time, of what it waits for."""

    def told() -> bool:
        message = run.snapshot().message
        return all(word in message for word in words)

    return eventually(told, timeout_s=timeout_s, pause_s=0.1)


def is_over(run: sciflow.Run[Any]) -> bool:
    """Whether it has come to an end; a run whose engine has died has not."""
    return run.phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.SUSPENDED}


def ends(run: sciflow.Run[Any], timeout_s: float = PATIENCE_S) -> str:
    """The phase in which the run ends."""
    assert eventually(lambda: is_over(run), timeout_s=timeout_s, pause_s=0.1), run.report() + engine_log(run)
    return str(run.phase.value)


def engine_log(run: sciflow.Run[Any]) -> str:
    path = run.folder / "logs" / "engine.log"
    return path.read_text() if path.exists() else ""


def kill_engines(bench: Bench) -> None:
    """`kill -9`, as of a machine that goes down."""
    for engine in bench.processes.engines():
        engine.kill()
    assert eventually(lambda: all(process.keeps_connection for process in bench.processes.all()))
