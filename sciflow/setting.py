"""The table of settings: what each is for, and which values will do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from sciflow.runner.duration import is_seconds


class Setting(NamedTuple):
    """One row of the table of settings: `check` says whether a value will do, `expected` says it to people."""

    about: str
    expected: str
    check: Callable[[object], bool]
    table: bool = False


def _count(minimum: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and value >= minimum


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_typed(value: object) -> bool:
    return isinstance(value, dict) and _is_text(value.get("type"))


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_count(1), value.values()))


SETTINGS: Mapping[str, Setting] = {
    "runs": Setting(
        about="folder that holds the run folders; relative to the project, else to the working directory",
        expected="the path of a folder",
        check=lambda value: _is_text(value) or isinstance(value, Path),
    ),
    "workers": Setting(
        about="worker processes; by default the cores of this machine that the process may use",
        expected="a whole number from 1",
        check=_count(1),
    ),
    "memory_mb": Setting(
        about="memory that all tasks together may ask for; by default that of the machine",
        expected="a whole number of megabytes from 1",
        check=_count(1),
    ),
    "gpus": Setting(
        about="GPUs that tasks may ask for; by default those that CUDA_VISIBLE_DEVICES or nvidia-smi name",
        expected="a whole number from 0",
        check=_count(0),
    ),
    "parallelism": Setting(
        about="tasks of a run at once; by default as many as there are workers",
        expected="a whole number from 1",
        check=_count(1),
    ),
    "timeout_s": Setting(
        about="seconds after which a run is stopped; by default none",
        expected="a number of seconds above 0",
        check=lambda value: is_seconds(value) and value != 0,
    ),
    "full_disk_wait_s": Setting(
        about="seconds for which a run waits when the disk is full or its database held, before its engine ends",
        expected="a number of seconds from 0",
        check=is_seconds,
    ),
    "durable": Setting(
        about="normal: what was recorded survives the death of any process; full: the database a power cut too",
        expected='"normal" or "full"',
        check=lambda value: value in ("normal", "full"),
    ),
    "inline_bytes": Setting(
        about="values longer than this as JSON are stored beside the database, not in it",
        expected="a whole number of bytes from 256",
        check=_count(256),
    ),
    "executor": Setting(
        about="where an op runs that names no executor", expected="the name of an executor", check=_is_text
    ),
    "storage": Setting(
        about="where a run's files are kept; by default in its folder alone",
        expected="the name of a storage, or nothing",
        check=lambda value: isinstance(value, str),
    ),
    "progress": Setting(
        about="show progress while running", expected="true or false", check=lambda value: type(value) is bool
    ),
    "locks": Setting(
        about="named locks: how many tasks of a run may hold one at once; an op's own limit may be lower",
        expected="a table of names and whole numbers from 1",
        check=_is_counts,
        table=True,
    ),
    "host": Setting(
        about="where programs, pseudopotentials and licences lie on this machine; ops read it by context().host",
        expected="a table",
        check=lambda value: isinstance(value, dict),
        table=True,
    ),
    "executors": Setting(
        about="places to run at besides this machine's own processes, by the name that a workflow or a run calls them",
        expected="tables, each with its `type` and what that type needs; `local` is taken",
        check=lambda value: isinstance(value, dict) and "local" not in value and all(map(_is_typed, value.values())),
        table=True,
    ),
    "storages": Setting(
        about="places that keep the files of runs, by the name that a run calls them",
        expected="tables, each with its `type` and what that type needs",
        check=lambda value: isinstance(value, dict) and all(map(_is_typed, value.values())),
        table=True,
    ),
}
