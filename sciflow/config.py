"""Settings: what they are, where they come from, and the check of each.

Read in this order, a later one wins over an earlier one:

    the default
    sciflow.toml of the project, found upward from the working directory
    the user's file, $XDG_CONFIG_HOME/sciflow/config.toml (~/.config/sciflow/config.toml)
    SCIFLOW_<NAME> of the environment; a table is written as JSON
    arguments

Tables are merged entry by entry. Every mistake of every source is reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from sciflow.errors import ConfigError, Problem
from sciflow.setting import SETTINGS

PROJECT_FILE = "sciflow.toml"
PREFIX = "SCIFLOW_"
RUNS = "runs"
OF_TESTS = "SCIFLOW_TEST_"  # variables of the environment that are no settings: those that begin so
MARKS = frozenset({"SCIFLOW_SCRATCH"})  # and those that mark a process

Tables: TypeAlias = Mapping[str, Mapping[str, Any]]  # of executors or storages, by name


class Settings(NamedTuple):
    """All settings; `origins` says where each value came from."""

    runs: Path = Path(RUNS)
    workers: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None
    parallelism: int | None = None
    timeout_s: float | None = None
    full_disk_wait_s: float = 600.0
    durable: Literal["normal", "full"] = "normal"
    inline_bytes: int = 4096
    executor: str = "local"
    storage: str = ""
    progress: bool = True
    locks: Mapping[str, int] = {}
    host: Mapping[str, Any] = {}
    executors: Mapping[str, Mapping[str, Any]] = {}
    storages: Mapping[str, Mapping[str, Any]] = {}
    project: Path | None = None  # folder of the project's sciflow.toml
    origins: Mapping[str, str] = {}


class _Source(NamedTuple):
    """Raw values of one source, and how to say where a key of it stands."""

    values: Mapping[str, object]
    where: Callable[[str], str]
    spelling: Callable[[str], str] = str  # a setting's name as this source writes it


def load(
    *,
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Settings:
    """The settings that hold in the folder `start` (the working directory); an argument of None is not given.

    Raises:
        ConfigError: with every unknown key, wrong type and unreadable file of all sources.
    """
    start = Path.cwd() if start is None else start.absolute()
    environ = os.environ if environ is None else environ
    project = find_project(start)
    problems: list[Problem] = []
    sources = [
        *_read_file(project, problems),
        *_read_file(user_file(environ), problems),
        _read_environment(environ, problems),
        _read_arguments(arguments or {}),
    ]
    problems += chain.from_iterable(map(_check, sources))
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    folder = project.parent if project else None
    return _merge(sources, base=folder or start, project=folder)


def find_project(start: Path) -> Path | None:
    """The `sciflow.toml` of `start` or of the nearest folder above it."""
    return next((f / PROJECT_FILE for f in (start, *start.parents) if (f / PROJECT_FILE).is_file()), None)


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Where the user's own file is looked for; None on a machine account without a home."""
    if environ.get("XDG_CONFIG_HOME"):
        return Path(environ["XDG_CONFIG_HOME"]) / "sciflow" / "config.toml"
    return Path(environ["HOME"]) / ".config" / "sciflow" / "config.toml" if environ.get("HOME") else None


def variable(name: str) -> str:
    """The variable of the environment that sets a setting."""
    return PREFIX + name.upper()


def _read_file(path: Path | None, problems: list[Problem]) -> Iterator[_Source]:
    if path is None or not path.is_file():
        return
    import tomllib

    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except (OSError, ValueError) as error:
        problems.append(Problem(where=str(path), what=f"cannot be read: {error}", fix="correct the file, or remove it"))
        return
    yield _Source(values=values, where=lambda key: f"{path}:{_line_of(text, key)}")


def _line_of(text: str, key: str) -> int:
    """The line, from 1, where a top-level key or table begins; 1 where it is spelled in an unusual way."""
    import re

    begins = re.compile(rf"""\s*(\[\s*)?["']?{re.escape(key)}["']?\s*(=|\.|\])""")
    return next((n for n, line in enumerate(text.splitlines(), 1) if begins.match(line)), 1)


def _read_environment(environ: Mapping[str, str], problems: list[Problem]) -> _Source:
    values: dict[str, object] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and not name.startswith(OF_TESTS) and name not in MARKS:
            key = name.removeprefix(PREFIX).lower()
            try:
                values[key] = _parse(key, environ[name])
            except ValueError as error:
                problems.append(_unfit(name, key, f"{environ[name]!r} ({error})"))
    return _Source(values=values, where=lambda key: f"environment {variable(key)}", spelling=variable)


def _read_arguments(arguments: Mapping[str, object]) -> _Source:
    given = {name: value for name, value in arguments.items() if value is not None}
    return _Source(values=given, where=lambda name: f"argument {name}")


def _parse(key: str, text: str) -> object:
    """The value that a variable's text stands for; text that is no JSON stands for itself, except for a table."""
    import json

    if key in ("runs", "executor", "storage", "durable"):
        return text
    if key == "progress":
        return {"1": True, "0": False}.get(text, {"true": True, "false": False}.get(text.lower(), text))
    try:
        return json.loads(text)
    except ValueError:
        if key in SETTINGS and SETTINGS[key].table:
            raise ValueError("not JSON") from None
        return text


def _check(source: _Source) -> Iterator[Problem]:
    for key, value in source.values.items():
        if key not in SETTINGS:
            yield _unknown(source, key)
        elif not SETTINGS[key].check(value):
            yield _unfit(source.where(key), key, f"{value!r}")


def _unknown(source: _Source, key: str) -> Problem:
    import difflib

    near = difflib.get_close_matches(key, SETTINGS, n=1)
    return Problem(
        where=source.where(key),
        what=f"unknown setting {source.spelling(key)!r}",
        expected="one of " + ", ".join(map(source.spelling, SETTINGS)),
        fix=f"did you mean {source.spelling(near[0])!r}?"
        if near
        else "remove it; `sciflow config show` lists them all",
    )


def _unfit(where: str, key: str, found: str) -> Problem:
    expected = SETTINGS[key].expected if key in SETTINGS else ""
    return Problem(where=where, what=f"{key} has a value that will not do", expected=expected, found=found)


def _merge(sources: list[_Source], *, base: Path, project: Path | None) -> Settings:
    values: dict[str, Any] = {}
    origins = dict.fromkeys(SETTINGS, "default")
    for source in sources:
        for key, value in source.values.items():
            merges = SETTINGS[key].table and key in values
            origins[key] = f"{origins[key]}, {source.where(key)}" if merges else source.where(key)
            values[key] = {**values[key], **value} if merges else value  # type: ignore[dict-item]
    values["runs"] = base / Path(values.get("runs", RUNS)).expanduser()
    values["storages"] = {name: _anchored(table, base) for name, table in values.get("storages", {}).items()}
    return Settings(**values, project=project, origins=origins)


def _anchored(storage: Mapping[str, Any], base: Path) -> Mapping[str, Any]:
    """A folder that is meant from the project on is the same one wherever a run is made, resumed or asked for."""
    path = storage.get("path")
    if storage["type"] != "directory" or not isinstance(path, str):
        return storage
    return {**storage, "path": str(base / Path(path).expanduser())}
