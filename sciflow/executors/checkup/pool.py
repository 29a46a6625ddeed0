"""A pool of `concurrent.futures`: is it made, do its workers start our runner, do they see our folder?"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as TooLate
from contextlib import closing
from pathlib import Path

from sciflow.errors import SciflowError
from sciflow.executors.batch.depot import Depot
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.checkup.trial import PROBE
from sciflow.executors.futures.pool import Pool
from sciflow.executors.settings import FuturesSettings
from sciflow.executors.transports.local import LocalTransport


def pool(name: str, settings: FuturesSettings, *, runs: Path, wait_s: float) -> Iterator[Finding]:
    """Makes it, has a worker run a task, and gives it back; `wait_s`: for the task, 0: none is run."""
    table = f"[executors.{name}]"
    begin = time.monotonic()
    try:
        made = Pool(settings.factory, settings.arguments, sys_path=[os.getcwd()], where=table)
    except SciflowError as error:
        yield bad("pool", str(error))
        return
    with closing(made):
        workers = settings.workers or made.workers
        yield ok("pool", f"made in {time.monotonic() - begin:.1f} s; {workers} task{'s' * (workers > 1)} at once")
        if wait_s > 0:
            folder = runs / f".doctor-{secrets.token_hex(4)}"
            try:
                yield _task(made, settings, table, folder, wait_s)
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def _task(made: Pool, settings: FuturesSettings, table: str, folder: Path, wait_s: float) -> Finding:
    folder.mkdir(parents=True)
    word = secrets.token_hex(4)
    (folder / "word").write_text(word)
    python = settings.python or sys.executable
    depot = Depot(LocalTransport(), work_root=settings.work_root or str(folder / "depot"), python=sys.executable)
    begin = time.monotonic()
    try:
        depot.prepare()
        ended = made.start([python, "-c", PROBE, str(folder), depot.runner, "0"], b"").result(timeout=wait_s)
    except TooLate:
        fix = "are there workers, and are they free? Try again with more time: --wait-s 3600"
        return note("test task", f"did not end within {wait_s:.0f} s", fix)
    except SciflowError as error:
        return bad("test task", str(error))
    except Exception as error:  # noqa: BLE001  the pool is the user's own
        fix = f"is {python} there on its workers? `python` in {table} names another one"
        return bad("test task", f"{type(error).__name__}: {error}", fix)
    told = folder / "told"
    if ended.returncode or not told.exists():
        fix = f"do all workers see {folder} and `work_root` under the same paths? Their own words are in their logs"
        return bad("test task", f"ended with exit code {ended.returncode}", fix)
    facts = json.loads(told.read_text())
    where = f"on {facts['host']} (Python {facts['python']})"
    return ok("test task", f"ran {where} and was heard of after {time.monotonic() - begin:.1f} s")
