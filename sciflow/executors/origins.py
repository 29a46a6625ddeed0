"""Where an entry of an executor's settings stands: file and line, or the variable of the environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sciflow import config

TABLE = "executors"


def origin(name: str, key: str = "") -> str:
    """Where `[executors.NAME]` stands, or a key of it: the last place that says it, which wins; "" if none does."""
    return next((place for table, place in _sources(name, key) if name in table and _says(table[name], key)), "")


def _says(table: object, key: str) -> bool:
    return not key or (isinstance(table, Mapping) and key in table)


def _sources(name: str, key: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The tables of executors, the strongest first, each with the place of the key in it."""
    variable = config.variable(TABLE)
    with suppress(ValueError):  # said by whoever reads the settings
        yield json.loads(os.environ.get(variable, "{}")), f"environment {variable}"
    for path in (config.user_file(os.environ), config.find_project(Path.cwd())):
        if path is not None and path.is_file():
            text = path.read_text("utf-8", errors="replace")
            yield _table(text), f"{path}:{line_of(text.splitlines(), name, key)}"


def _table(text: str) -> Mapping[str, Any]:
    try:
        found = tomllib.loads(text).get(TABLE, {})
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def line_of(lines: Sequence[str], name: str, key: str) -> int:
    """The line, from 1, of a key in `[executors.NAME]`; that of the table where the key is written in another way."""
    head = re.compile(rf"""\s*\[\s*{TABLE}\s*\.\s*["']?{re.escape(name)}["']?\s*[\].]""")
    entry = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
    below = re.compile(
        rf"""\s*\[\s*{TABLE}\s*\.\s*["']?{re.escape(name)}["']?\s*\.\s*["']?{re.escape(key)}["']?\s*\]"""
    )
    table = next((n for n, line in enumerate(lines, 1) if head.match(line)), 1)
    for number, line in enumerate(lines[table:], table + 1):
        if key and (below.match(line) or entry.match(line)):
            return number
        if line.lstrip().startswith("[") and not head.match(line):
            break
    return table
