"""Both sides of the row of clusters: a fan as an array job of Slurm, its machine reached by SSH.

Slurm and the SSH server run on this machine, start before the clock does, and are the side's own. The peer is what one
would write by hand: a script for the array, submitted and asked after by `ssh`, the results in files that are brought
home at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import instances
from tests.services.slurm import SlurmService
from tests.services.sshd import Sshd, SshdService

Figures = dict[str, float]
ELEMENTS = 1000  # of the array, on both sides
LOOK_S = 0.5

_SCRIPT = """#!/bin/sh
#SBATCH --array=0-{last} --output=/dev/null --job-name=byhand
exec {python} {folder}/element.py {folder} "$SLURM_ARRAY_TASK_ID"
"""
_ELEMENT = """
import json, os, sys
from op import double
folder, element = sys.argv[1], int(sys.argv[2])
with open(os.path.join(folder, "inputs.json")) as file:
    numbers = json.load(file)[element]
done = os.path.join(folder, "%d.json" % element)
with open(done + ".new", "w") as file:
    json.dump([double(x) for x in numbers], file)
os.rename(done + ".new", done)
"""
_OP = "def double(x):\n    return 2 * x\n"
_STUDY = """
import json, sys
from sciflow import op, workflow

@op
def double(x: int) -> int:
    return 2 * x

@workflow
def mapped(numbers: list[int]) -> list[int]:
    return double.map(x=numbers)

if __name__ == "__main__":
    print(json.dumps(mapped.run(list(range(int(sys.argv[1]))), on="cluster").result))
"""


@contextmanager
def _cluster() -> Iterator[Sshd]:
    with (
        instances.running(SlurmService()) as slurm,
        instances.running(SshdService(env=slurm.env, options=("LogLevel VERBOSE",))) as server,
    ):
        yield server


def _timed(size: int, folder: Path, run: Callable[[int, Path, Sshd], list[int]]) -> Figures:
    with _cluster() as server:
        began = time.perf_counter()
        found = run(size, folder, server)
        seconds = time.perf_counter() - began
        log = "".join(file.read_text(errors="replace") for file in (server.folder / "log").glob("*.log"))
    assert found == list(range(0, 2 * size, 2))
    return {"seconds": seconds, "calls": float(log.count("Starting session: command"))}


def ours(size: int, folder: Path) -> Figures:
    """A run whose executor is the cluster."""
    return _timed(size, folder, _ours)


def _ours(size: int, folder: Path, server: Sshd) -> list[int]:
    table = {
        "type": "batch",
        "system": "slurm",
        "host": server.host,
        "ssh_config": str(server.config),
        "work_root": str(folder / "scratch"),
        "python": sys.executable,
        "elements": ELEMENTS,
        "look_least_s": LOOK_S,
        "look_most_s": LOOK_S,
    }
    settings = {"EXECUTORS": json.dumps({"cluster": table}), "RUNS": str(folder / "runs"), "PROGRESS": "false"}
    environ = os.environ | {f"SCIFLOW_{name}": value for name, value in settings.items()}
    script = folder / "study.py"
    script.write_text(_STUDY)
    argv = [sys.executable, str(script), str(size)]
    said = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: list[int] = json.loads(said)
    return found


def by_hand(size: int, folder: Path) -> Figures:
    """The same by a script."""
    return _timed(size, folder, _by_hand)


def _by_hand(size: int, folder: Path, server: Sshd) -> list[int]:
    there = folder / "byhand"
    there.mkdir()
    each = -(-size // ELEMENTS)
    rows = [list(range(begin, min(begin + each, size))) for begin in range(0, size, each)]
    texts = {
        "inputs.json": json.dumps(rows),
        "element.py": _ELEMENT,
        "op.py": _OP,
        "job.sh": _SCRIPT.format(last=len(rows) - 1, python=sys.executable, folder=there),
    }
    for name, text in texts.items():
        _ssh(server, f"cat > {there}/{name}", text)
    _ssh(server, f"sbatch {there}/job.sh")
    while _ssh(server, "squeue --noheader --name=byhand | head -1").strip():
        time.sleep(LOOK_S)
    found = _ssh(server, f"cd {there} && for k in $(seq 0 {len(rows) - 1}); do cat $k.json; echo; done")
    return [number for line in found.splitlines() for number in json.loads(line)]


def _ssh(server: Sshd, command: str, stdin: str = "") -> str:
    argv = ["ssh", "-F", str(server.config), server.host, command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout
