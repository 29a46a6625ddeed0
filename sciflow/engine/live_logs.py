"""What tasks print while they are at work: on Argo as its server has it, elsewhere as logs grow in the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from sciflow import config
from sciflow.core.evaluation import Absent
from sciflow.core.graph import node_at
from sciflow.core.records import Phase
from sciflow.engine.binding import BindingError
from sciflow.engine.bringing import conductor_of
from sciflow.engine.origin import stored_spec
from sciflow.engine.records_db import Reader
from sciflow.engine.replica import Replica
from sciflow.engine.rows import NodeRow
from sciflow.errors import HostUnreachable, RunError

LOOK_S = 0.3
SILENT_S = 60.0  # for which a place is asked again that gives no answer


class LiveLine(NamedTuple):
    """A line, and who has printed it: a node, or a worker."""

    who: str
    text: str


def live_text(replica: Replica, path: str, *, tail: int | None) -> str:
    """What tasks of a node have printed that are at work; empty where that is known at their end.

    Raises:
        HostError: the place gives no answer.
    """
    conductor = conductor_of(replica) if replica.reader.text("phase") == Phase.RUNNING.value else None
    row, slice_ = replica.find(path)
    ended = len(replica.reader.tasks(row.id, slice_=slice_))
    if conductor is None or ended >= (1 if slice_ is not None else row.total or 1):
        return ""
    from sciflow.executors.registry import pod_logs

    with pod_logs(conductor, config.load().executors, replica.root) as logs:
        chunk = _chunk(replica, row, slice_, conductor, logs.pods)
        return _headed([(line.title, line.text) for line in logs.so_far(row.path, chunk=chunk, tail=tail)])


def _headed(lines: list[tuple[str, str]]) -> str:
    """Lines as a text; where several have printed them, each under a head."""
    heads = len({who for who, _ in lines}) > 1
    parts = []
    for who, own in groupby(lines, lambda line: line[0]):
        head = [f"==> {who} <=="] if heads else []
        parts += [f"{text}\n" for text in (*head, *(text for _, text in own))]
    return "".join(parts)


def live_lines(root: Path, path: str | None, *, over: Callable[[], bool]) -> Iterator[LiveLine]:
    """Lines as they are printed, until the run is over.

    Raises:
        RunError: no such task, or it is not known here what one task prints before its end.
        HostError: the place gives no answer.
    """
    with closing(Reader(root / "run.db")) as reader:
        replica = Replica(root, reader)
        conductor = conductor_of(replica)
        if conductor is not None:
            replica = replica if path is None else _come_to(replica, path, over)
            row, slice_ = replica.find(path) if path is not None else (None, None)
            yield from _of_pods(replica, conductor, row, slice_, over)
            return
        if path is not None:
            replica.find(path)
    if path is not None:
        fix = "follow all of the run, or ask again when the task has ended"
        raise RunError(f"which lines in {root}/logs are of {path} is known at its end\n    fix:      {fix}")
    yield from _of_workers(root / "logs", over)


def _come_to(replica: Replica, path: str, over: Callable[[], bool]) -> Replica:
    """The run once it has come to what a path names, or has ended without; of what it never names at once."""
    spec = stored_spec(replica.reader)
    while not _has(replica, path) and node_at(spec, path) is not None and not over():
        time.sleep(LOOK_S)
        replica = Replica(replica.root, replica.reader)
    return Replica(replica.root, replica.reader)


def _has(replica: Replica, path: str) -> bool:
    nodes = replica.nodes
    above, _, last = path.rpartition("/")
    return path in nodes or (above in nodes and last.isdigit())


def _of_pods(
    replica: Replica, conductor: str, row: NodeRow | None, slice_: int | None, over: Callable[[], bool]
) -> Iterator[LiveLine]:
    from sciflow.executors.registry import pod_logs

    with pod_logs(conductor, config.load().executors, replica.root) as logs:
        chunk = None if row is None else _chunk(replica, row, slice_, conductor, logs.pods)
        wait = _Wait()
        while True:
            try:
                for line in logs.follow(row.path if row is not None else None, chunk=chunk):
                    wait.answered()
                    yield LiveLine(line.title, line.text)
                wait.answered()
            except HostUnreachable:
                if wait.is_over():
                    raise
            if over():  # else the workflow may not have begun
                return
            time.sleep(LOOK_S)


class _Wait:
    """For a place that has answered before, and gives no answer now."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._answered = False

    def answered(self) -> None:
        """It does."""
        self._since, self._answered = None, True

    def is_over(self) -> bool:
        """It does not: whether that is to be told now."""
        self._since = self._since or time.monotonic()
        return not self._answered or time.monotonic() - self._since > SILENT_S


def _chunk(replica: Replica, row: NodeRow, slice_: int | None, conductor: str, pods: int) -> int | None:
    """The number of the pod that has a slice."""
    if slice_ is None or row.total is None:
        return None
    from sciflow.executors.argo.place.facts import chunk_at

    try:
        run = replica.bound(row.path)
    except (BindingError, Absent, LookupError):
        return None
    dispatchers = config.load().executors.keys() - {conductor}
    return slice_ // chunk_at(run.node, row.total, pods, above=run.home.above, dispatchers=dispatchers)


def _of_workers(logs: Path, over: Callable[[], bool]) -> Iterator[LiveLine]:
    read: dict[Path, int] = {path: path.stat().st_size for path in logs.iterdir()}
    last = False
    while True:
        for path in sorted(logs.iterdir()):
            with path.open("rb") as file:
                file.seek(read.get(path, 0))
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                read[path] = read.get(path, 0) + len(whole) + 1
                yield from (LiveLine(path.name, text) for text in whole.decode(errors="replace").split("\n"))
        if last:
            return
        last = over()
        time.sleep(LOOK_S)
