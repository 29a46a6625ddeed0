"""The result of a run for people: a record field by field, a list of records as a table, all else in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciflow.core.expr import Tree
from sciflow.view.table import Table, for_terminal
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
    if not isinstance(tree, list) or not tree:
        return None
    records = [fields(item) for item in tree]
    first = records[0]
    if first is None or any(record is None or record.keys() != first.keys() for record in records):
        return None
    columns = tuple(first)
    return Table(columns, tuple(tuple(record[name] for name in columns) for record in records if record is not None))
