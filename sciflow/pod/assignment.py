"""What a pod is to give to a batch system, and how far it has come with that."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Fan, Secret
from sciflow.core.job import Job, Need
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.request import CARRIER, element_of
from sciflow.pod.first_round import bring_code
from sciflow.pod.workplace import Workplace
from sciflow.runner.packs import read_stored

FILE = "assignment.json"  # in the pod's folder


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What the container `bind` leaves for the one that dispatches."""

    executor: str  # its name
    settings: Mapping[str, Any]  # its table
    job: Job  # all tasks that the pod has to see to
    chunk: int | None  # slices that are to be one job there; none: as it suits the executor
    at: str  # the name by which files of the run are known
    inline_bytes: int
    argv: Sequence[str]
    main: str | None
    host: Mapping[str, object]
    bundle: str  # the user's modules
    start_limit_s: float

    @property
    def firsts(self) -> Mapping[str, int]:
        """The first attempt of each task that is made here or by an earlier pod of the same tasks."""
        return {self.job.task_path(k): attempt for k, attempt in enumerate(self.job.attempts)}


def read_assignment(folder: Path) -> Assignment:
    """That of a pod."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=Assignment)


def write_assignment(work: Workplace, facts: Facts, executor: str, job: Job, fan: Fan | None) -> Job:
    """Leaves what is to be given to an executor of a batch system; the job as it is known there."""
    bring_code(work, facts)
    assignment = _assignment(executor, job, fan, facts)
    (work.pod / FILE).write_bytes(msgspec.json.encode(assignment))
    return assignment.job


def _assignment(executor: str, job: Job, fan: Fan | None, facts: Facts) -> Assignment:
    parallelism = 1 if job.policy.locks else job.parallelism
    return Assignment(
        executor=executor,
        settings=facts.dispatchers[executor],
        job=msgspec.structs.replace(job, need=_carried(job.need), parallelism=parallelism),
        chunk=fan.chunk if fan is not None else None,
        at=facts.executor,
        inline_bytes=facts.inline_bytes,
        argv=facts.argv,
        main=facts.main,
        host=facts.host,
        bundle=facts.bundle,
        start_limit_s=facts.start_limit_s,
    )


def _carried(need: Need) -> Need:
    """A need with its secrets where a pod has them: in variables of its environment, as `environment` names them."""
    carriers = (f"{CARRIER}{number}" for number in count())
    env = ((name, Secret(env=next(carriers)) if isinstance(value, Secret) else value) for name, value in need.env)
    return msgspec.structs.replace(need, env=tuple(env))


class Turns:
    """Which tasks of a job are to be handed over, and which are with the executor; tasks are known by position."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._attempts = list(job.attempts)
        self._waiting = list(reversed(range(len(job.slices))))
        self._later: list[tuple[float, int]] = []  # when a task is tried again
        self._away: dict[int, dict[int, int]] = {}  # by the job that was handed over: its positions -> ours
        self._serial = 0

    @property
    def waiting(self) -> int:
        """How many tasks may be handed over now."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            self._waiting.append(heapq.heappop(self._later)[1])
        return len(self._waiting)

    @property
    def jobs(self) -> list[int]:
        """The ids of those that were handed over and have not ended."""
        return list(self._away)

    @property
    def over(self) -> bool:
        """Whether all tasks have come to their end."""
        return not (self.waiting or self._later or self._away)

    def take(self, slices: int) -> Job:
        """So many of the tasks as a job."""
        taken = [self._waiting.pop() for _ in range(min(slices, len(self._waiting)))]
        self._serial += 1
        self._away[self._serial] = dict(enumerate(taken))
        attempts = [self._attempts[place] for place in taken]
        some = element_of(self._job, taken, ()).job
        return msgspec.structs.replace(some, id=self._serial, attempts=attempts)

    def ended(self, job: int, position: int) -> int:
        """A task of a job that was handed over has ended; which it is."""
        place = self._away[job].pop(position)
        if not self._away[job]:
            del self._away[job]
        return place

    def lost(self, job: int, position: int) -> None:
        """One never began: it is handed over again."""
        self._waiting.append(self.ended(job, position))

    def again(self, place: int, wait_s: float) -> None:
        """One is tried again, after so long."""
        self._attempts[place] += 1
        heapq.heappush(self._later, (time.monotonic() + wait_s, place))


def files_in(tree: Tree, root: Path) -> Iterator[str]:
    """The paths of the files of which a value speaks, stored parts of it in the run's folder included."""
    match tree:
        case {"$": "artifact", "path": str() as path}:
            yield path
        case {"$": "value"}:
            data = read_stored(str(root), tree)
            yield from files_in(msgspec.json.decode(data), root) if b'"$":"' in data else ()
        case dict():
            for part in tree.values():
                yield from files_in(part, root)
        case list():
            for part in tree:
                yield from files_in(part, root)
        case _:
            return
