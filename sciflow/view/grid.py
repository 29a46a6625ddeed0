"""A table on a terminal: the columns that tell something and fit, the others named below."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sciflow.view.value import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as Grid

    from sciflow.view.table import Table

ALWAYS = ("task", "slice", "phase", "attempts", "seconds")
CELL = 32  # characters of a cell
LONGEST_ERROR = 200  # characters of an error, where there is room
ERROR = 20  # characters that an error has at least
MOST_ROWS = 1000  # on a terminal; laying out more takes longer than anybody reads
BETWEEN = 2  # columns between two cells


def as_text(table: Table, *, width: int) -> str:
    """Aligned columns within `width`, as plain text."""
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(for_terminal(table, width=width))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def for_terminal(table: Table, *, width: int) -> RenderableType:
    """What rich prints within `width`."""
    from rich.console import Group
    from rich.table import Table as Grid
    from rich.text import Text

    left_out = len(table) - MOST_ROWS
    telling = _telling(replace(table, rows=table.rows[:MOST_ROWS]))
    shown = _that_fit(telling, width=width)
    grid = Grid(box=None, padding=(0, BETWEEN, 0, 0), pad_edge=False, header_style="bold")
    for name in shown:
        _add_column(grid, name, telling[name])
    for cells in zip(*(telling[name] for name in shown), strict=True):
        grid.add_row(*map(Text, cells))
    missing = ", ".join(name for name in telling if name not in shown)
    notes = [f"no room for: {missing} (a wider terminal or --csv shows all)"] if missing else []
    notes += [f"and {left_out:,} more rows (--csv and --json have all)"] if left_out > 0 else []
    return Group(grid, *(Text(note, style="dim") for note in notes)) if notes else grid


def cell(value: object, name: str = "") -> str:
    """What stands in a cell."""
    return "" if value is None else one_line(value, width=LONGEST_ERROR if name == "error" else CELL)


def _telling(table: Table) -> dict[str, list[str]]:
    """The columns that are worth their room, as text."""
    columns = {name: [cell(row[n], name) for row in table.rows] for n, name in enumerate(table.columns)}
    return {name: cells for name, cells in columns.items() if _tells(name, cells)}


def _tells(name: str, cells: Sequence[str]) -> bool:
    """Not the slice, which is in the task's path already, nor one attempt, which is what is expected."""
    if name == "slice" or (name == "attempts" and set(cells) <= {"0", "1"}):
        return False
    return name in ALWAYS or any(cells)


def _that_fit(columns: Mapping[str, Sequence[str]], *, width: int) -> list[str]:
    """As many columns as there is room for, in their order; an error is cut before another column is left out."""
    shown: set[str] = set()
    room = width + BETWEEN
    for name in sorted(columns, key=lambda name: name not in (*ALWAYS, "error")):
        needed = _least(name, columns[name]) + BETWEEN
        if needed <= room or not shown:
            shown.add(name)
            room -= needed
    return [name for name in columns if name in shown]


def _least(name: str, cells: Sequence[str]) -> int:
    """The width of a column that is not the error's is that of its text: only an error is cut."""
    return ERROR if name == "error" else min(max(map(len, (name, *cells))), CELL)


def _add_column(grid: Grid, name: str, cells: Sequence[str]) -> None:
    numeric = all(text == "" or _is_number(text) for text in cells)
    widest = None if name == "error" else CELL
    least = _least(name, cells)
    grid.add_column(name, justify="right" if numeric else "left", no_wrap=True, min_width=least, max_width=widest)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
