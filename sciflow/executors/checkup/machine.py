"""The machine: Python there, our folder, room in it, a file there and back."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sciflow.errors import HostError
from sciflow.executors.batch.depot import OLDEST
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.checkup.quotas import full_share, quotas
from sciflow.executors.checkup.visit import Visit
from sciflow.executors.settings_check import misfits_of

CALL_S = 60.0
LEAST_BYTES = 1_000_000_000
LEAST_FILES = 10_000
CLOCK_S = 120.0  # a clock that is further off makes times in tables odd
TRIP_BYTES = 4 << 20
TRIP_S = 300.0
TELL_PYTHON = "import sys; print('python', sys.version.split()[0], sys.executable)"


def python(visit: Visit) -> Iterator[Finding]:
    """Whether there is a Python that the runner can use."""
    name = visit.depot.python
    fix = (
        f"set `python` in {visit.table} to a Python 3.9 or newer on {visit.where}: its path, as `which -a python3` says"
    )
    try:
        said = visit.depot.run((name, "-c", TELL_PYTHON), timeout_s=CALL_S)
    except HostError as error:
        yield bad("python", str(error), "is the machine up? try again")
        return
    found = re.search(rb"^python (\d+)\.(\d+)(\S*) (.*)$", said.stdout, re.MULTILINE)
    if said.code != 0 or found is None:
        yield bad("python", f"{name}: {said.said or f'exit code {said.code}'}", fix)
    elif (int(found[1]), int(found[2])) < OLDEST:
        yield bad("python", f"{name} is Python {found[1].decode()}.{found[2].decode()}", fix)
    else:
        version = b".".join(found.groups()[:2]) + found[3]
        yield ok("python", f"{version.decode()} ({found[4].decode(errors='replace')})")


def work_root(visit: Visit) -> Iterator[Finding]:
    """Whether our folder can be made and written, is private, and has room."""
    settings = visit.settings
    fix = f"choose another folder in {visit.table}: work_root, on a file system that you may write and the nodes see"
    try:
        visit.depot.prepare()
        facts: Mapping[str, Any] = visit.depot.ask("facts", {}, dict[str, Any])
    except HostError as error:
        yield bad("work_root", str(error).splitlines()[0], fix)
        return
    if not facts["writable"]:
        yield bad("work_root", f"{facts['work_root']}: {facts['problem']}", fix)
        return
    misfits = misfits_of(settings, visit.folder)
    if misfits:
        yield bad("work_root", f"{visit.folder} cannot be written in a job script of {settings.system}: {misfits}", fix)
        return
    yield ok("work_root", f"{facts['work_root']} on {facts['host']}, as {facts['user']}")
    yield from _private(visit)
    yield from _room(facts, fix)
    yield from quotas_of(visit)
    if not facts["locks"]:
        needed = settings.system == "shell"  # by them its queue tells what runs
        without = "two engines that send at once may disturb each other"
        yield bad("locks", "none in work_root", fix) if needed else note("locks", "none in work_root", without)
    if not facts["links"]:
        yield note("links", "none in work_root", "files are copied instead; another file system saves time and room")
    off = facts["clock"] - time.time()
    if settings.host and abs(off) > CLOCK_S:
        yield note("clock", f"{abs(off):.0f} s {'ahead' if off > 0 else 'behind'}", "times of tasks are by that clock")


def _private(visit: Visit) -> Iterator[Finding]:
    said = visit.depot.run(("stat", "-c", "%a", visit.depot.root))
    mode = said.stdout.decode(errors="replace").strip()
    if said.code == 0 and not mode.endswith("00"):
        fix = f"others may read your files there: `chmod 700 {visit.depot.root}`, or a file system that keeps modes"
        yield note("private", f"mode {mode}", fix)


def _room(facts: Mapping[str, Any], fix: str) -> Iterator[Finding]:
    free, files = facts["free_bytes"], facts["free_files"]
    told = f"{free / 1e9:,.1f} GB" + (f", {files:,} files" if files is not None else "")
    if free < LEAST_BYTES or (files is not None and 0 < files < LEAST_FILES):
        yield bad("free space", told, f"make room there (`sciflow clean --remote` removes old runs), or {fix}")
    else:
        yield ok("free space", told)


def quotas_of(visit: Visit) -> Iterator[Finding]:
    """What the machine says of quotas, where it has a program for that."""
    for quota in quotas(visit.depot, visit.depot.root):
        share = full_share(quota)
        told = f"{quota.what}: {share:.0%} used"
        if share >= 1:
            yield bad("quota", told, "make room there: `sciflow clean --remote` removes old runs")
        elif share > 0.9:
            yield note("quota", told, "make room there soon: `sciflow clean --remote` removes old runs")
        else:
            yield ok("quota", told)


def round_trip(visit: Visit) -> Iterator[Finding]:
    """Whether a file comes back as it went."""
    if not visit.settings.host:
        return
    there = f"{visit.depot.root}/{visit.mark}.file"
    content = os.urandom(TRIP_BYTES)
    with tempfile.TemporaryDirectory(prefix="sciflow-") as folder:
        here, back = Path(folder, "there"), Path(folder, "back")
        here.write_bytes(content)
        try:
            began = time.monotonic()
            visit.depot.transport.put(here, there, timeout_s=TRIP_S)
            between = time.monotonic()
            visit.depot.transport.get(there, back, timeout_s=TRIP_S)
            ended = time.monotonic()
        except HostError as error:
            yield bad(
                "file there and back", str(error), "try again; a connection that breaks often needs a look by ssh -v"
            )
            return
        finally:
            visit.depot.run(("rm", "-f", there))
        if hashlib.sha256(back.read_bytes()).digest() != hashlib.sha256(content).digest():
            yield bad("file there and back", "it came back changed", "tell the people who run the machine")
            return
    to, fro = (TRIP_BYTES / 1e6 / max(seconds, 1e-6) for seconds in (between - began, ended - between))
    yield ok("file there and back", f"{TRIP_BYTES >> 20} MiB unchanged; {to:,.0f} MB/s there, {fro:,.0f} MB/s back")
