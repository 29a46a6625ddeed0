"""The storages that the settings name, each made by its kind: one of ours, or one that a plug-in brings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sciflow.config import Tables
from sciflow.errors import ConfigError
from sciflow.storage.settings import KINDS, DirectorySettings, S3Settings, parse_storage
from sciflow.storage.storage import Storage

GROUP = "sciflow.storages"  # of entry points: a name to write as `type`, and what makes a storage of the other entries


def check_storage(name: str, tables: Tables) -> None:
    """Refuses a storage that is not in the settings, or whose settings will not do; nothing is connected.

    Raises:
        ConfigError: what is wrong.
    """
    if name not in tables:
        there = f"it names {', '.join(sorted(tables))}" if tables else "it names none"
        raise ConfigError(
            f"unknown storage {name!r}\n    expected: one of the settings' table `storages`; {there}\n"
            f"    fix:      correct the name, or add [storages.{name}] to sciflow.toml"
        )
    if tables[name]["type"] in KINDS:
        parse_storage(name, tables[name])
    else:
        _maker(name, tables[name])


def make_storage(name: str, tables: Tables) -> Storage:
    """The storage of that name; what a kind of storage needs is imported where there is one.

    Raises:
        ConfigError: its settings will not do, or it has no credentials.
        MissingExtra: a package that it needs is not installed.
    """
    check_storage(name, tables)
    table = tables[name]
    if table["type"] not in KINDS:
        return _maker(name, table)()
    match parse_storage(name, table):
        case DirectorySettings(path=path):
            from sciflow.storage.directory import DirectoryStorage

            root = Path(path).expanduser()
            root.mkdir(parents=True, exist_ok=True)
            return DirectoryStorage(root)
        case S3Settings() as settings:
            from sciflow.storage.s3 import S3Storage

            return S3Storage(name, settings)


def _maker(name: str, table: Mapping[str, Any]) -> Callable[[], Storage]:
    """What makes a plug-in's storage of a table; that the table fits is checked."""
    from importlib.metadata import entry_points

    values = {key: value for key, value in table.items() if key != "type"}
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if table["type"] not in found:
        there = ", ".join(sorted({*KINDS, *found}))
        raise ConfigError(
            f"storage {name}: unknown type {table['type']!r}\n    expected: one of {there}\n"
            "    fix:      correct it, or install the package that brings it"
        )
    make = found[table["type"]].load()
    try:
        inspect.signature(make).bind(**values)
    except TypeError as error:
        raise ConfigError(f"storage {name}: {error}; type {table['type']!r} takes {inspect.signature(make)}") from error
    return partial(make, **values)
