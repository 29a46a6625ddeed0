"""The tasks of a run as one table: a row a task, a column per input and output; as CSV, HTML or a DataFrame."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sciflow.core.expr import Tree
from sciflow.core.progress import Task
from sciflow.core.records import TaskError
from sciflow.errors import MissingExtra
from sciflow.view.grid import ALWAYS, LONGEST_ERROR, as_text, cell
from sciflow.view.plain import plain
from sciflow.view.value import cut, fields, plain_number

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 200  # of a table in a notebook


@dataclass(frozen=True)
class Table:
    """Rows of trees, and the names of their columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Tree, ...], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Tree]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def __str__(self) -> str:
        return as_text(self, width=10_000)

    def _repr_html_(self) -> str:
        return as_html(self)


def of_tasks(tasks: Iterable[Task]) -> Table:
    """One row a task. An input and a field of the output that share a name become `name` and `output.name`."""
    records = [_record(task) for task in tasks]
    columns = _columns(records)
    return Table(columns, tuple(tuple(record.get(name) for name in columns) for record in records))


def _columns(records: Sequence[Mapping[str, Tree]]) -> tuple[str, ...]:
    """What always stands there, then whatever any record has, the error last."""
    names = dict.fromkeys(ALWAYS)
    for record in records:
        names |= dict.fromkeys(name for name, value in record.items() if value is not None)
    return tuple(sorted(names, key=lambda name: name == "error"))


def _record(task: Task) -> dict[str, Tree]:
    inputs = task.inputs or {}
    results = _outputs(task.output)
    return {
        "task": task.path,
        "slice": task.slice,
        "phase": str(task.phase),
        "attempts": task.attempt,
        "seconds": None if task.seconds is None else round(task.seconds, 6),
        "key": task.key,
        "cached": task.cached or None,
        "flag": task.flag or None,
        **_apart(inputs, ALWAYS, "input"),
        **_apart(results, (*ALWAYS, *inputs), "output"),
        **{f"fact.{name}": value for name, value in task.facts.items()},
        "error": task.error and cut(": ".join(filter(None, _cause(task.error))), width=LONGEST_ERROR),
    }


def _cause(error: TaskError) -> tuple[str, str]:
    return error.type.rpartition(":")[2], error.message


def _outputs(tree: Tree) -> Mapping[str, Tree]:
    return fields(tree) or {"output": tree}


def _apart(values: Mapping[str, Tree], taken: Sequence[str], prefix: str) -> dict[str, Tree]:
    reserved = (*taken, "key", "cached", "flag", "error")
    return {f"{prefix}.{name}" if name in reserved else name: value for name, value in values.items()}


def as_csv(table: Table, *, folder: Path) -> str:
    """Comma-separated text with a heading line; `folder` is the run's.

    Numbers and texts stand as they are, files by their paths, and whatever has parts (a list, a record, an array,
    atoms) as JSON, whole; see `view.plain`.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_csv_cell(value, folder) for value in row] for row in table.rows)
    return out.getvalue()


def _csv_cell(value: Tree, folder: Path) -> str | float | None:
    found = plain_number(value)
    if isinstance(found, int | float):
        return found
    told = plain(value, folder=folder)
    return told if told is None or isinstance(told, str) else json.dumps(told, ensure_ascii=False)


def as_frame(table: Table, decode: Callable[[Tree], object]) -> pd.DataFrame:
    """A pandas DataFrame of the decoded values.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("pandas", "table", "a DataFrame") from error
    rows = [[None if value is None else decode(value) for value in row] for row in table.rows]
    return pd.DataFrame(rows, columns=list(table.columns))


def as_html(table: Table) -> str:
    """A table for notebooks: its first rows."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell(value))}</td>" for value in row) + "</tr>"
        for row in table.rows[:SHOWN_ROWS]
    )
    more = f"<p>{len(table) - SHOWN_ROWS:,} more rows</p>" if len(table) > SHOWN_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
