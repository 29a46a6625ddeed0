"""A queue for machines without a batch system, kept in files: WORK_ROOT/shell.

shell submit WORK_ROOT SCRIPT           takes an array job; prints its id
shell list WORK_ROOT [ID ...]           what waits, runs, or was lost; of jobs that are named, what has ended too
shell cancel WORK_ROOT ID[:K,K-K] ...   ends jobs or elements; those that have ended are no error

SCRIPT begins with directives, `#SHELL word=value`: name, elements, throttle (elements of it that run at once), cores
(that an element takes), slots (cores of the machine, for all jobs together; 0: those there are), walltime_s. It is run
once for each element. `list` prints a JSON object for
each element. A supervisor that was killed is replaced by whoever lists or submits next, if its job still waits.

shell/slots/<i>        locked by an element while it runs
shell/jobs/<id>/       job.json  next  run/<k> (locked by element k while it runs)  ended/<k>  cancelled/<k>
"""

from __future__ import annotations

import os
import re
import sys
import time

from sciflow.runner.file_lock import takes_locks
from sciflow.runner.placing import write_whole
from sciflow.runner.removal import remove
from sciflow.runner.shell_job import Job
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    Tree = Any

REFUSED = 2  # exit code: the job will never be taken
DIRECTIVE = re.compile(r"#SHELL\s+([a-z_]+)=(.*)")
KEPT_S = 7 * 24 * 3600.0  # for which a job that has ended is remembered
MOST_ELEMENTS = 1_000_000
USAGE = "usage: shell submit WORK_ROOT SCRIPT | list WORK_ROOT [ID ...] | cancel WORK_ROOT ID[:K,K-K] ..."


class Unacceptable(Exception):
    """A job that will never be taken; the message says why."""


def main(argv: list[str]) -> int:
    """Do what is asked; the exit code."""
    verb, rest = argv[0], argv[1:]
    try:
        if verb == "submit" and len(rest) == 2:
            sys.stdout.write(submit(rest[0], rest[1]) + "\n")
        elif verb == "list" and rest:
            listing(rest[0], rest[1:])
        elif verb == "cancel" and len(rest) > 1:
            cancel(rest[0], rest[1:])
        else:
            sys.stderr.write(USAGE + "\n")
            return REFUSED
        sys.stdout.flush()
    except Unacceptable as why:
        sys.stderr.write(f"sciflow: {why}\n")
        return REFUSED
    except OSError as error:
        sys.stderr.write(f"sciflow: {error}\n")
        return 1
    return 0


# --- submit


def submit(work_root: str, script: str) -> str:
    """Take a job and start its supervisor; the job's id.

    Raises:
        Unacceptable: the script does not say what is needed, or nobody could tell what of it runs.
    """
    told = _directives(script)
    jobs = f"{os.path.abspath(work_root)}/shell/jobs"
    os.makedirs(jobs, 0o700, exist_ok=True)
    if not takes_locks(jobs):
        raise Unacceptable(
            f"{work_root}: its file system has no locks, by which this queue tells what runs\n"
            "    fix:      set `work_root` of the executor to a folder on another file system"
        )
    _forget_old(jobs)
    job = Job(_new_folder(jobs))
    for part in ("run", "ended", "cancelled"):
        os.mkdir(f"{job.folder}/{part}")
    # whole only with this file: until then nobody takes it for a job
    write_whole(f"{job.folder}/job.json", dump({**told, "script": os.path.abspath(script)}).encode())
    _supervise(job)
    return job.id


def _directives(script: str) -> Tree:
    told: dict[str, str] = {}
    with open(script, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            found = DIRECTIVE.match(line)
            if found:
                told[found.group(1)] = found.group(2).strip()
            elif not line.startswith("#"):
                break
    try:
        numbers = {word: int(told.get(word) or 0) for word in ("elements", "throttle", "cores", "slots")}
        walltime_s = float(told.get("walltime_s") or 0)
    except ValueError as error:
        raise Unacceptable(f"{script}: a directive is no number: {error}") from error
    if not 0 < numbers["elements"] <= MOST_ELEMENTS:
        raise Unacceptable(f"{script}: elements={numbers['elements']}; 1 to {MOST_ELEMENTS} are taken")
    default = os.path.basename(os.path.dirname(os.path.abspath(script)))
    return {**numbers, "walltime_s": walltime_s, "name": told.get("name") or default}


def _new_folder(jobs: str) -> str:
    known = [int(name) for name in os.listdir(jobs) if name.isdigit()]
    number = max(known, default=0) + 1
    while True:
        try:
            os.mkdir(f"{jobs}/{number}", 0o700)
        except FileExistsError:
            number += 1
            continue
        return f"{jobs}/{number}"


def _forget_old(jobs: str) -> None:
    """Forget jobs that have ended, or were lost, long ago, but for the newest: ids are not used twice."""
    limit = time.time() - KEPT_S
    old = sorted((name for name in os.listdir(jobs) if name.isdigit()), key=int)[:-1]
    for name in old:
        if os.stat(f"{jobs}/{name}").st_mtime < limit and not Job(f"{jobs}/{name}").is_active:
            remove(f"{jobs}/{name}")


def _supervise(job: Job) -> None:
    """Start a supervisor that nothing here can hold back, and that holds nothing here open."""
    if os.fork() == 0:
        code = 1
        try:
            os.setsid()
            if os.fork() == 0:
                from sciflow.runner.shell_supervisor import supervise

                supervise(job)
            code = 0
        finally:
            os._exit(code)
    os.wait()


# --- list


def listing(work_root: str, ids: Sequence[str]) -> None:
    """Print a line for each element that has not ended; of jobs that are named, for the others too."""
    for job in _jobs(work_root, ids):
        if job.is_deserted:
            _supervise(job)
        for element, state, code in job.states(all_=bool(ids)):
            line = {"id": job.id, "element": element, "name": job.name, "state": state, "exit_code": code, "reason": ""}
            sys.stdout.write(dump(line) + "\n")


def _jobs(work_root: str, ids: Sequence[str]) -> Iterator[Job]:
    jobs = f"{os.path.abspath(work_root)}/shell/jobs"
    known = os.listdir(jobs) if os.path.isdir(jobs) else []
    for name in sorted((n for n in known if n.isdigit() and (not ids or n in ids)), key=int):
        job = Job(f"{jobs}/{name}")
        if ids or not job.is_over:
            yield job


# --- cancel


def cancel(work_root: str, wanted: Sequence[str]) -> None:
    """End jobs or elements of them, with all their processes.

    Raises:
        Unacceptable: not the name of a job or of elements.
    """
    from sciflow.runner.shell_end import end_elements

    chosen: list[tuple[Job, list[int]]] = []
    for text in wanted:
        id_, _, elements = text.partition(":")
        if not id_.isdigit():
            raise Unacceptable(f"{text!r} is no job")
        jobs = _jobs(work_root, [id_])
        chosen += [(job, _numbers(elements) if elements else list(range(job.elements))) for job in jobs]
    for job, elements_ in chosen:
        job.cancel(elements_)
    end_elements(chosen)


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise Unacceptable(f"{text!r} are no elements")
        found += range(int(first), int(last or first) + 1)
    return found
