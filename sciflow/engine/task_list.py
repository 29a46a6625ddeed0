"""The tasks of a run that is looked at: all of them, those of a step, a node or one task, those that went wrong."""

from __future__ import annotations

from collections.abc import Iterator

from sciflow.core.progress import Task
from sciflow.core.records import Phase
from sciflow.engine.activation import step_path
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.rows import NodeRow, TaskRow

MOST = 1000  # failed or flagged tasks that are looked at


def tasks_at(replica: Replica, path: str | None) -> Iterator[Task]:
    """The tasks of all nodes, or of what `path` names: a step (`relax/energy`), a node (`relax/3/energy`), one task.

    A node without tasks stands for itself: it waits, was skipped or omitted, or is a fan over nothing.

    Raises:
        RunError: the path names nothing.
    """
    rows = [row for row in replica.nodes.values() if path is None or path in (row.path, step_path(row.path))]
    if not rows and path is not None:
        row, slice_ = replica.find(path)
        yield from replica.tasks(row, replica.reader.tasks(row.id, slice_=slice_))
        return
    for row in rows:
        ended = replica.reader.tasks(row.id)
        yield from replica.tasks(row, ended) if ended else [replica.node_task(row)]


def task_rows(replica: Replica, path: str | None) -> Iterator[tuple[str, TaskRow]]:
    """The recorded ends of the tasks that `path` names, see `tasks_at`, with the tasks' paths."""
    named = [row for row in replica.nodes.values() if path is None or path in (row.path, step_path(row.path))]
    rows: list[tuple[NodeRow, int | None]] = [(row, None) for row in named]
    for row, slice_ in rows if rows or path is None else [replica.find(path)]:
        for task in replica.reader.tasks(row.id, slice_=slice_):
            yield (row.path if task.slice < 0 else f"{row.path}/{task.slice}"), task


def paths(reader: Reader, beginning: str) -> Iterator[str]:
    """The paths of nodes that begin so; of the fan that `beginning` names up to its last "/", the ended slices too."""
    above = beginning.rpartition("/")[0]
    for row in reader.nodes():
        if row.path.startswith(beginning):
            yield row.path
        elif row.path == above:
            slices = (f"{above}/{task.slice}" for task in reader.tasks(row.id) if task.slice >= 0)
            yield from (path for path in slices if path.startswith(beginning))


def failed_tasks(replica: Replica) -> list[Task]:
    """The tasks, and then the nodes, that failed, in the order of time."""
    rows = {row.id: row for row in replica.nodes.values()}
    failed = [task for found in replica.reader.failed(MOST) for task in replica.tasks(rows[found.node], [found])]
    nodes = [replica.node_task(row) for row in rows.values() if row.error is not None and row.phase is Phase.FAILED]
    return failed + nodes


def omitted_nodes(replica: Replica) -> list[Task]:
    """The nodes that were omitted."""
    return [replica.node_task(row) for row in replica.nodes.values() if row.phase is Phase.OMITTED]


def flagged_tasks(replica: Replica) -> list[Task]:
    """The tasks that succeeded and are flagged, in the order of nodes and slices."""
    rows = {row.id: row for row in replica.nodes.values()}
    return [t for found in replica.reader.flagged(MOST) for t in replica.tasks(rows[found.node], [found], inputs=False)]
