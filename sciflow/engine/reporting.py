"""What a run's report is made of, gathered from its records and its logs."""

from __future__ import annotations

from sciflow.engine import task_list
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.status import snapshot_of
from sciflow.engine.task_logs import read_log
from sciflow.errors import RunError


def report_text(folder: RunFolder, reader: Reader) -> str:
    """The report of the run as it stands."""
    from sciflow.view.report import LOG_LINES, Failure, Troubles, report

    replica = Replica(folder.root, reader)
    picture = snapshot_of(folder, reader)
    failed = task_list.failed_tasks(replica)
    return report(
        Troubles(
            run_id=folder.id,
            name=picture.name,
            phase=picture.phase,
            seconds=picture.seconds,
            folder=folder.root,
            failures=[Failure(task=task, log=_log_end(replica, task.path, LOG_LINES)) for task in failed],
            omitted=task_list.omitted_nodes(replica),
            flagged=task_list.flagged_tasks(replica),
            message=picture.message,
        )
    )


def _log_end(replica: Replica, path: str, lines: int) -> str:
    try:
        return read_log(replica, path, stream="both", tail=lines)
    except (RunError, OSError):
        return ""
