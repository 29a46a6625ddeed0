"""The result of a run for people: a record field by field, a list of records as a table, all else in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciflow.core.expr import Tree
from sciflow.view.grid import for_terminal
from sciflow.view.table import Table
from sciflow.view.value import fields, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

LONGEST = 2000  # characters of a value that is shown in a line
WIDEST = 60  # characters of a field


def for_people(tree: Tree, *, width: int) -> RenderableType | None:
    """What rich prints; None where there is nothing to show."""
    from rich.text import Text

    if tree is None:
        return None
    table = _table(tree)
    if table is not None:
        return for_terminal(table, width=width)
    return Text(_lines(tree))


def _lines(tree: Tree) -> str:
    parts = fields(tree)
    if parts is None:
        return one_line(tree, width=LONGEST)
    room = max(map(len, parts))
    return "\n".join(f"{name:<{room}}  {one_line(part, width=WIDEST)}" for name, part in parts.items())


def _table(tree: Tree) -> Table | None:
    """A list of records with the same fields as rows."""
    records = [fields(item) or {} for item in tree] if isinstance(tree, list) else []
    columns = tuple(records[0]) if records else ()
    if not columns or any(tuple(record) != columns for record in records):
        return None
    return Table(columns, tuple(tuple(record.values()) for record in records))
