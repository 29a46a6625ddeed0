"""`sciflow doctor [NAME]`: is this machine, or an executor, fit, and if not, what to do. Every check is one line."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sciflow.cli.duration import Seconds
from sciflow.cli.main import unknown
from sciflow.cli.output import json_option, show, show_json
from sciflow.executors.checkup.finding import Finding
from sciflow.executors.registry import LOCAL
from sciflow.storage.mounts import NETWORK, file_system
from sciflow.view.quantity import size

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

SUBJECT = 19  # columns
LEAST_BYTES = 1_000_000_000  # free space below which a warning is due
OPTIONAL: Mapping[str, str] = {
    "ase": "ase",
    "scipy": "ase",
    "pandas": "table",
    "matplotlib": "plot",
    "tblite": "tblite",
    "IPython": "notebook",
    "paramiko": "ssh",
    "minio": "s3",
    "httpx": "argo",
    "distributed": "dask",
}
PROGRAMS: Mapping[str, str] = {"git": "to record a project's version", "dot": "to draw SVGs (package graphviz)"}


class PlaceName(click.ParamType[str]):
    """An executor or a storage of the settings."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The names that begin so."""
        from click.shell_completion import CompletionItem

        from sciflow import config

        settings = config.load()
        return [CompletionItem(n) for n in (*settings.executors, *settings.storages) if n.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, type=PlaceName())
@click.option(
    "--wait-s",
    type=Seconds(),
    default=120.0,
    show_default=True,
    help="How long the test job may wait in the queue and run.",
)
@click.option("--no-job", is_flag=True, help="Submit no test job.")
@json_option
def doctor(*, name: str | None, wait_s: float, no_job: bool, as_json: bool) -> int:
    """Check this machine; or NAME, an executor or a storage of the settings.

    An executor is checked from the way there to a job that really runs, a storage to a file there and back.
    """
    found = _findings() if name is None else _of_place(name, wait_s=0.0 if no_job else wait_s)
    findings = list(found) if as_json else list(_printed(found))
    if as_json:
        show_json(findings)
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _of_place(name: str, *, wait_s: float) -> Iterator[Finding]:
    from sciflow import config
    from sciflow.executors.checkup.examination import examine

    settings = config.load()
    if name == LOCAL:
        return _findings()
    if name in settings.storages and name not in settings.executors:
        from sciflow.cli.storages import examine_storage

        return examine_storage(name, settings.storages)
    if name not in settings.executors:
        raise click.UsageError(unknown("executor or storage", name, [LOCAL, *settings.executors, *settings.storages]))
    table = settings.executors[name]
    return examine(name, table, storages=settings.storages, runs=settings.runs, wait_s=wait_s)


def _printed(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each as it is found: some take a while."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "note": ("-", "yellow"), "bad": ("✗", "bold red")}
    for finding in findings:
        mark, style = marks[finding.state]
        head = Text.assemble((mark, style), " ", (f"{finding.subject:<{SUBJECT}} ", "bold" * (finding.state == "bad")))
        lines = finding.found.splitlines() or [""]
        show(_hanging(Text(lines[0]), head))
        more = [Text(line) for line in lines[1:]] + ([Text(finding.fix, style=style)] if finding.fix else [])
        if more:
            show(Padding(Group(*more), (0, 0, 0, SUBJECT + 3)))
        yield finding


def _hanging(text: Text, head: Text) -> Table:
    """A line whose continuation stands under its beginning."""
    from rich.table import Table

    grid = Table.grid(padding=0)
    grid.add_column(no_wrap=True, width=max(SUBJECT + 3, len(head)))
    grid.add_column(overflow="fold")
    grid.add_row(head, text)
    return grid


def _findings() -> Iterator[Finding]:
    checks: Sequence[Callable[[], Iterator[Finding]]] = (
        _python, _settings, _machine, _packages, _programs, _executors, _storages,
    )  # fmt: skip
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


def _executors() -> Iterator[Finding]:
    """Those of the settings, looked at from here only."""
    from sciflow import config
    from sciflow.errors import ConfigError
    from sciflow.executors.checkup.examination import describe
    from sciflow.executors.settings import parse_executor

    try:
        tables = config.load().executors
    except ConfigError:  # told above
        return
    for name, table in tables.items():
        fix = f"sciflow doctor {name}"
        try:
            found = describe(parse_executor(name, table))
        except ConfigError as error:
            yield Finding(state="bad", subject=f"executor {name}", found=str(error).splitlines()[0], fix=fix)
        else:
            yield Finding(state="ok", subject=f"executor {name}", found=f"{found}; `{fix}` checks it")


def _storages() -> Iterator[Finding]:
    """Those of the settings; nothing is connected."""
    from sciflow import config
    from sciflow.cli.storages import describe_storage
    from sciflow.errors import ConfigError
    from sciflow.storage.registry import check_storage

    try:
        tables = config.load().storages
    except ConfigError:  # told above
        return
    for name, table in tables.items():
        fix = f"sciflow doctor {name}"
        try:
            check_storage(name, tables)
        except ConfigError as error:
            yield Finding(state="bad", subject=f"storage {name}", found=str(error).splitlines()[0], fix=fix)
        else:
            yield Finding(state="ok", subject=f"storage {name}", found=f"{describe_storage(table)}; `{fix}` checks it")
