"""Starts fresh processes, and measures them from outside: time, memory, and what else the machine was doing."""

from __future__ import annotations

import compileall
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
LOOK_S = 0.01  # between two looks at the memory
PATIENCE_S = 900.0
QUIET = 0.1  # part of the machine's CPU time
QUIET_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement."""

    figures: Mapping[str, float]  # what the process told, and "wall_s", "cpu_s", "peak_mb" as seen from outside
    others: float  # part of the machine's CPU time that other processes used meanwhile


class MeasurementError(Exception):
    """A process that was measured failed; the message holds what it said."""


def python(*arguments: str) -> tuple[str, ...]:
    """The command line of this Python with `arguments`."""
    return (sys.executable, *arguments)


def measure(argv: Sequence[str], *, memory: bool = False) -> Sample:
    """Runs a process to its end; with `memory`, the peak memory of it and all its descendants too.

    Looking at the memory takes time from the process: its times are then worth nothing.

    Raises:
        MeasurementError: it failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        busy, own, started = _busy_s(), _children_s(), time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=_environ())
        peak_mb = _watch(process) if memory else None
        code = process.wait(PATIENCE_S)
        wall_s = time.perf_counter() - started
        own, busy = _children_s() - own, _busy_s() - busy
        said = [_text(out), _text(err)]
    if code != 0:
        last = "\n".join("".join(said).splitlines()[-6:])
        raise MeasurementError(f"{' '.join(argv)}: exit code {code}\n{last}")
    figures = {"wall_s": wall_s, "cpu_s": own} | ({} if peak_mb is None else {"peak_mb": peak_mb})
    told = [line for line in said[0].splitlines() if line.startswith("{")]
    others = max(0.0, busy - own) / (wall_s * (os.cpu_count() or 1))
    return Sample(figures=figures | (json.loads(told[-1]) if told else {}), others=others)


def wait_for_quiet(seconds: float) -> float:
    """Waits until other processes leave the machine alone, at most so long; how long it took."""
    started = time.perf_counter()
    while (waited := time.perf_counter() - started) < seconds:
        busy = _busy_s()
        time.sleep(QUIET_S)
        if (_busy_s() - busy) / (QUIET_S * (os.cpu_count() or 1)) < QUIET:
            return waited
    return waited


def _environ() -> dict[str, str]:
    """This process's environment without what would change how Python works, such as not to keep compiled modules."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PYTHONPATH": str(ROOT), "PATH": programs}


def compile_all() -> None:
    """Compiles our modules, as an installer does with a package that it installs."""
    for package in ("sciflow", "benchmarks"):
        compileall.compile_dir(ROOT / package, quiet=2)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _busy_s() -> float:
    """CPU seconds that the whole machine has spent on processes."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return 0.0
    user, nice, system = (int(field) for field in fields[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _children_s() -> float:
    """CPU seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --- memory


def _watch(process: subprocess.Popen[bytes]) -> float | None:
    """The peak of the memory of a process and its descendants, MB, each shared page counted once in all."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(_pss_kb(pid) for pid in _family(process.pid)))
        time.sleep(LOOK_S)
    return peak * 1024 / 1e6 if peak else None


def _family(pid: int) -> set[int]:
    """A process and its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    found, size = {pid}, 0
    while len(found) > size:
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def _pss_kb(pid: int) -> float:
    """A process's proportional set size, kB: a page that n processes share counts as 1/n."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)
