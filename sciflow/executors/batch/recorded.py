"""The records of submissions that a host has beside them, for who gives it tasks and may lose all that it has itself.

A record is brought with the rest of its submission, before the batch system hears of it. Whether it has heard is found
out as for every submission of an engine that has died.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from sciflow.errors import HostRefused
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.making import make_depot
from sciflow.executors.batch.record import FOLDER, RECORD, BatchRecord, batch_names, write_record
from sciflow.executors.settings import BatchSettings
from sciflow.executors.systems import answers

_SHOW = 'for file in "$1"/*/"$2"; do if [ -f "$file" ]; then cat "$file" && echo || exit; fi; done'
_FORGET = 'cd "$1" && file="$2" && shift 2 && for name; do rm -f "$name/$file" || exit; done'


def recall_records(settings: BatchSettings, root: Path, wanted: Callable[[BatchRecord], bool]) -> None:
    """Writes down here what the host has of a run's submissions, as far as they are wanted.

    Raises:
        HostError: it does not answer, or cannot be used.
    """
    depot = make_depot(settings)
    try:
        depot.prepare()
        said = depot.run(("sh", "-c", _SHOW, "sh", _folder(depot, root), RECORD))
        answers.need(said, "cat")
    finally:
        depot.transport.close()
    for line in said.stdout.splitlines():
        try:
            record = msgspec.json.decode(line, type=BatchRecord)
        except msgspec.DecodeError as error:
            raise HostRefused(f"{depot.transport.name}: a record of a submission cannot be read: {error}") from error
        if wanted(record):
            write_record(root, record)


def forget_records(settings: BatchSettings, root: Path, executor: str) -> None:
    """Has the host forget the submissions that are known here: nobody is to hear of them any more.

    Raises:
        HostError: it does not answer.
    """
    names = sorted(batch_names(root, [executor]))
    if not names:
        return
    depot = make_depot(settings)
    try:
        depot.prepare()
        answers.need(depot.run(("sh", "-c", _FORGET, "sh", _folder(depot, root), RECORD, *names)), "rm")
    finally:
        depot.transport.close()


def _folder(depot: Depot, root: Path) -> str:
    return f"{depot.root}/runs/{root.name}/{FOLDER}"
