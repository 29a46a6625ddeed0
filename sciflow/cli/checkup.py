"""`sciflow doctor`: is this machine fit, and if not, what to do. Every check is one line."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sciflow.cli.output import json_option, show, show_json
from sciflow.storage.mounts import NETWORK, file_system
from sciflow.view.quantity import size

LEAST_BYTES = 1_000_000_000  # free space below which a warning is due
OPTIONAL: Mapping[str, str] = {
    "ase": "ase",
    "scipy": "ase",
    "pandas": "table",
    "matplotlib": "plot",
    "tblite": "tblite",
    "IPython": "notebook",
}
PROGRAMS: Mapping[str, str] = {"git": "to record a project's version", "dot": "to draw SVGs (package graphviz)"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line: `state` is "ok", "note" (something optional is missing) or "bad"."""

    state: str
    subject: str
    found: str
    fix: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check this machine: what works, what is missing, what to do."""
    findings = list(_findings())
    if as_json:
        show_json([vars(finding) for finding in findings])
    else:
        _print(findings)
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _print(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    marks = {"ok": ("✓", "green"), "note": ("-", "yellow"), "bad": ("✗", "bold red")}
    for finding in findings:
        mark, style = marks[finding.state]
        told = Text(finding.found)
        if finding.fix:
            told.append(f"\n{finding.fix}", style=style)
        grid.add_row(Text(mark, style=style), finding.subject, told)
    show(grid)


def _findings() -> Iterator[Finding]:
    checks: Sequence[Callable[[], Iterator[Finding]]] = (_python, _settings, _machine, _packages, _programs)
    for check in checks:
        yield from check()


def _python() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    told = f"{sys.version.split()[0]} ({sys.executable})"
    yield Finding(state="ok", subject="python", found=told)
    try:
        yield Finding(state="ok", subject="sciflow", found=version("sciflow-hpc"))
    except PackageNotFoundError:
        fix = "install it into this Python: pip install sciflow-hpc"
        yield Finding(state="bad", subject="sciflow", found="not installed", fix=fix)


def _settings() -> Iterator[Finding]:
    from sciflow import config
    from sciflow.errors import ConfigError

    try:
        settings = config.load()
    except ConfigError as error:
        yield Finding(state="bad", subject="settings", found=str(error), fix="correct the settings named above")
        return
    sources = sorted({origin for origin in settings.origins.values() if origin != "default"})
    yield Finding(state="ok", subject="settings", found=", ".join(sources) or "all at their defaults")
    yield from _runs_folder(settings.runs)


def _runs_folder(runs: Path) -> Iterator[Finding]:
    place = next(folder for folder in (runs, *runs.parents) if folder.exists())
    elsewhere = "choose another folder: `runs` in sciflow.toml, or SCIFLOW_RUNS"
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".sciflow-doctor-"):
            pass
    except OSError as error:
        yield Finding(state="bad", subject="runs folder", found=f"{runs}: {error.strerror}", fix=elsewhere)
        return
    yield Finding(
        state="ok", subject="runs folder", found=f"{runs}" + ("" if runs.exists() else " (made by the first run)")
    )
    free = shutil.disk_usage(place).free
    if free < LEAST_BYTES:
        fix = f"make room (`sciflow clean` removes old runs), or {elsewhere}"
        yield Finding(state="bad", subject="free space", found=size(free), fix=fix)
    else:
        yield Finding(state="ok", subject="free space", found=size(free))
    yield _file_system(place)


def _file_system(place: Path) -> Finding:
    kind = file_system(place)
    if kind in NETWORK:
        fix = "works, with slower records; a folder on a local disk is faster: `runs` in sciflow.toml"
        return Finding(state="note", subject="file system", found=f"{kind}, a network file system", fix=fix)
    return Finding(state="ok", subject="file system", found=f"{kind or 'unknown kind'}, taken as local")


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(state="ok", subject="cores", found=str(cores))
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Finding(state="ok", subject="memory", found=size(pages))


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    for package, extra in OPTIONAL.items():
        try:
            yield Finding(state="ok", subject=package, found=version(package))
        except PackageNotFoundError:
            fix = f"if you need it: pip install 'sciflow-hpc[{extra}]'"
            yield Finding(state="note", subject=package, found="not installed", fix=fix)


def _programs() -> Iterator[Finding]:
    for program, purpose in PROGRAMS.items():
        path = shutil.which(program)
        if path:
            yield Finding(state="ok", subject=program, found=path)
        else:
            fix = f"if you need it {purpose}, install it and have it on the PATH"
            yield Finding(state="note", subject=program, found="not on the PATH", fix=fix)
