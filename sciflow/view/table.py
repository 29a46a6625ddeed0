"""The tasks of a run as one table: a row a task, a column per input and output; as text, CSV or a DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from sciflow.core.expr import Tree
from sciflow.core.progress import Task
from sciflow.core.records import TaskError
from sciflow.errors import MissingExtra
from sciflow.view.value import cut, fields, one_line, plain_number

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

ALWAYS = ("task", "slice", "phase", "attempts", "seconds")
CELL = 32  # characters of a cell on a terminal
LONGEST_ERROR = 200  # characters of an error, where there is room
ERROR = 20  # characters that an error has at least
BETWEEN = 2  # columns between two cells
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
    names = dict.fromkeys(ALWAYS)
    for record in records:
        names |= dict.fromkeys(name for name, value in record.items() if value is not None)
    columns = [name for name in names if name != "error"] + [name for name in names if name == "error"]
    return Table(tuple(columns), tuple(tuple(record.get(name) for name in columns) for record in records))


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


def as_csv(table: Table) -> str:
    """Comma-separated text with a heading line; numbers in full, other values as in `one_line`, uncut."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_csv_cell(value) for value in row] for row in table.rows)
    return out.getvalue()


def _csv_cell(value: Tree) -> str | float | None:
    found = plain_number(value)
    if isinstance(found, int | float):
        return found
    return value if value is None or isinstance(value, str) else one_line(value, width=1_000_000)


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


def as_text(table: Table, *, width: int) -> str:
    """Aligned columns within `width`; what does not fit is named below."""
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(for_terminal(table, width=width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def for_terminal(table: Table, *, width: int) -> RenderableType:
    """What rich prints: columns that tell nothing are left out, and those for which there is no room are named."""
    from rich.console import Group
    from rich.table import Table as Grid
    from rich.text import Text

    columns = {name: [_cell(row[n], name) for row in table.rows] for n, name in enumerate(table.columns)}
    telling = {name: cells for name, cells in columns.items() if _tells(name, cells)}
    shown = _that_fit(telling, width=width)
    grid = Grid(box=None, padding=(0, BETWEEN, 0, 0), pad_edge=False, header_style="bold")
    for name in shown:
        numeric = all(cell == "" or _is_number(cell) for cell in telling[name])
        widest = None if name == "error" else CELL
        grid.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=True,
            min_width=_least(name, telling[name]),
            max_width=widest,
        )
    for cells in zip(*(telling[name] for name in shown), strict=True):
        grid.add_row(*map(Text, cells))
    missing = [name for name in telling if name not in shown]
    note = f"no room for: {', '.join(missing)} (a wider terminal or --csv shows all)"
    return Group(grid, *([Text(note, style="dim")] if missing else []))


def _least(name: str, cells: Sequence[str]) -> int:
    """The width of a column that is not the error's is that of its text: only an error is cut."""
    return ERROR if name == "error" else min(max(map(len, (name, *cells))), CELL)


def _cell(value: Tree, name: str = "") -> str:
    return "" if value is None else one_line(value, width=LONGEST_ERROR if name == "error" else CELL)


def _tells(name: str, cells: Sequence[str]) -> bool:
    """Whether a column is worth its room: the slice is in the task's path already, one attempt is what is expected."""
    if name == "slice" or (name == "attempts" and set(cells) <= {"0", "1"}):
        return False
    return name in ALWAYS or any(cells)


def _that_fit(columns: Mapping[str, Sequence[str]], *, width: int) -> list[str]:
    """As many columns as there is room for, in their order; an error is cut before another column is left out."""
    needed = {name: _least(name, cells) + BETWEEN for name, cells in columns.items()}
    first = [name for name in columns if name in ALWAYS or name == "error"]
    shown: set[str] = set()
    room = width + BETWEEN
    for name in [*first, *(name for name in columns if name not in first)]:
        if needed[name] <= room or not shown:
            shown.add(name)
            room -= needed[name]
    return [name for name in columns if name in shown]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def as_html(table: Table) -> str:
    """A table for notebooks: its first rows."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in table.rows[:SHOWN_ROWS]
    )
    more = f"<p>{len(table) - SHOWN_ROWS:,} more rows</p>" if len(table) > SHOWN_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
