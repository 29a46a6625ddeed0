"""The checks of one executor, each only if those before it found nothing bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sciflow.config import Tables
from sciflow.errors import InvalidSettings, SciflowError
from sciflow.executors.checkup import argo
from sciflow.executors.checkup.argo import ArgoVisit
from sciflow.executors.checkup.argo_trial import trial
from sciflow.executors.checkup.finding import Finding, bad, note, ok
from sciflow.executors.checkup.machine import python, round_trip, work_root
from sciflow.executors.checkup.pool import pool
from sciflow.executors.checkup.queue import batch_system
from sciflow.executors.checkup.trial import test_job
from sciflow.executors.checkup.visit import Visit
from sciflow.executors.checkup.way import way
from sciflow.executors.containers.box import Engine
from sciflow.executors.settings import ArgoSettings, ExecutorSettings, FuturesSettings, parse_executor

V = TypeVar("V", Visit, ArgoVisit)
Check = Callable[[V], Iterator[Finding]]

VERSION: Mapping[Engine, Sequence[str]] = {  # each fails where the engine could run nothing
    "podman": ("info", "--format", "{{.Version.Version}}"),
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "apptainer": ("version",),
}


def examine(name: str, table: Mapping[str, Any], *, storages: Tables, runs: Path, wait_s: float) -> Iterator[Finding]:
    """What there is to say of an executor; `wait_s`: how long its test job may wait and run, 0: none is submitted."""
    try:
        settings = parse_executor(name, table)
    except InvalidSettings as error:
        for problem in error.problems:
            found = f": {problem.found}" if problem.found else ""
            hints = "\n".join(filter(None, (problem.expected and f"expected {problem.expected}", problem.fix)))
            yield bad("settings", f"{problem.where}: {problem.what}{found}", hints)
        return
    yield ok("settings", describe(settings))
    if isinstance(settings, FuturesSettings):
        yield from pool(name, settings, runs=runs, wait_s=wait_s)
        return
    if isinstance(settings, ArgoSettings):
        with ArgoVisit(name, settings, storages, wait_s=wait_s) as place:
            yield from _in_turn(place, OF_ARGO)
        return
    with Visit(name, settings, runs=runs, wait_s=wait_s) as visit:
        yield from _in_turn(visit, CHECKS)


def _in_turn(visit: V, checks: Mapping[str, Check[V]]) -> Iterator[Finding]:
    left = {subject: check for subject, check in checks.items() if subject not in SUBMITTED or visit.wait_s > 0}
    while left:
        subject = next(iter(left))
        check = left.pop(subject)
        findings: list[Finding] = []
        try:
            for finding in check(visit):
                findings.append(finding)
                yield finding
        except SciflowError as error:  # what no check knows what to make of
            findings.append(bad(subject, str(error)))
            yield findings[-1]
        if left and any(finding.state == "bad" for finding in findings):
            yield note("not checked", ", ".join(left), "mend the above first")
            return
    for subject in checks.keys() & SUBMITTED.keys() if visit.wait_s == 0 else ():
        yield note("not checked", f"{subject}: {SUBMITTED[subject]}", "without --no-job all is")


def describe(settings: ExecutorSettings) -> str:
    """An executor in a line."""
    if isinstance(settings, ArgoSettings):
        return f"Argo {settings.way}, namespace {settings.namespace}"
    if isinstance(settings, FuturesSettings):
        return f"futures of {settings.factory}"
    place = f"on {settings.host}" if settings.host else "on this machine"
    if settings.system == "shell" and settings.box is not None:
        return f"containers of {settings.box.engine} {place}"
    box = f", containers by {settings.box.engine}" if settings.box is not None else ""
    return f"{settings.system} {place}{box}" + (f", queue {settings.queue}" if settings.queue else "")


def container(visit: Visit) -> Iterator[Finding]:
    """Whether the program that runs containers is there."""
    box = visit.settings.box
    if box is None:
        return
    program = box.program or box.engine
    said = visit.depot.run((program, *VERSION[box.engine]))
    if said.code != 0:
        fix = f"install it on {visit.where} and see that it runs, load it in `prologue`, or name its path by `program`"
        nodes = note if visit.settings.host else bad  # the nodes may have what the login node has not
        yield nodes("container engine", f"{program}: {said.said or said.code}", fix)
    else:
        version = said.stdout.decode(errors="replace").strip().partition("\n")[0]
        yield ok("container engine", f"{program} {version}")
        if not box.image:
            yield note("image", "none", f"ops name theirs: .options(image=...), or `image` in {visit.table} for all")


SUBMITTED: Mapping[str, str] = {  # and what it alone shows
    "test job": "whether jobs start and run, and what they leave comes back",
    "test workflow": "whether images are to be had, pods start and run, and artifacts lie in the bucket above",
}
CHECKS: Mapping[str, Check[Visit]] = {
    "host, host key and login": way,
    "python": python,
    "work_root": work_root,
    "a file there and back": round_trip,
    "batch system": batch_system,
    "container engine": container,
    "test job": test_job,
}
OF_ARGO: Mapping[str, Check[ArgoVisit]] = {
    "token": argo.readable_token,
    "server": argo.server,
    "account": argo.account,
    "permissions": argo.permissions,
    "bucket": argo.bucket,
    "test workflow": trial,
}
