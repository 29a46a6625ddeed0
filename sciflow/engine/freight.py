"""Hands jobs to executors, and has files brought home first that a job needs and that lie at another place.

What an op leaves on another machine stays there, marked with the name of the executor (`"at"`), until a job elsewhere
needs it, it is part of the run's result, or somebody asks. Where a run has a storage, what is here goes there too, and
what is not here any more lies there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sciflow.core.job import Job
from sciflow.core.records import TaskError
from sciflow.engine.elsewhere import files_elsewhere
from sciflow.executors.executor import Brought, Executor, Lost, Report, never_began

if TYPE_CHECKING:
    from sciflow.engine.stowage import Stowage


class Waiting(msgspec.Struct, kw_only=True, eq=False):
    """A job that waits for files."""

    executor: str
    job: Job
    missing: set[str]


class Freight:
    """The executors of a run, and what is on its way between them."""

    def __init__(
        self,
        executors: Mapping[str, Executor],
        root: Path,
        stowage: Stowage | None = None,
        *,
        home: str | None = None,
    ) -> None:
        """`stowage` is one of the executors, if the run has a storage; `home` the one that has what it was given."""
        self._executors = executors
        self._root = root
        self._stowage = stowage
        self._home = home if home is not None or stowage is None else stowage.name
        self._remote = len(executors) > 1
        self._waiting: list[Waiting] = []
        self._asked: set[str] = set()  # paths that are on their way
        self._lost: dict[str, str] = {}  # paths that are not to be had, and why

    def submit(self, name: str, job: Job) -> list[Report]:
        """Hands a job over, now or when its files are here."""
        missing = self._missing([job.fixed, *(text for row in job.elements for text in row)], name)
        if not missing:
            self._executors[name].submit(job)
            return []
        self._waiting.append(Waiting(executor=name, job=job, missing=missing))
        return self._settle()

    def bring(self, text: bytes) -> bool:
        """Has all files brought home that a value speaks of; whether they are here, or not to be had."""
        return not (self._missing([text], "") - self._lost.keys())

    def given_up(self, text: bytes) -> Sequence[str]:
        """Why files are not to be had that a value speaks of."""
        return [self._lost[path] for path in sorted(self._missing([text], "") & self._lost.keys())]

    def keep(self, text: bytes | None) -> None:
        """Has all files put into the run's storage that a task has just left here, by the value that it gave back."""
        if self._stowage is not None and text is not None:
            self._stowage.store((path for _, path in files_elsewhere(self._root, text, home=self._home)), anew=True)

    @property
    def kept(self) -> bool:
        """Whether all that was to be is in the run's storage."""
        return self._stowage is None or self._stowage.idle

    def brought(self, report: Brought) -> list[Report]:
        """Files are here, or why not: jobs that waited for them are handed over."""
        self._asked.difference_update(report.paths)
        if report.problem:
            self._lost.update(dict.fromkeys(report.paths, report.problem))
        elif self._stowage is not None:
            self._stowage.store(report.paths)
        for waiting in self._waiting:
            waiting.missing.difference_update(report.paths if not report.problem else ())
        return self._settle()

    def cancel(self, jobs: Iterable[int]) -> list[int]:
        """Takes back jobs that wait here; their ids."""
        unwanted = set(jobs)
        found = [waiting.job.id for waiting in self._waiting if waiting.job.id in unwanted]
        self._waiting = [waiting for waiting in self._waiting if waiting.job.id not in unwanted]
        return found

    def _settle(self) -> list[Report]:
        reports: list[Report] = []
        for waiting in list(self._waiting):
            if not waiting.missing.isdisjoint(self._lost):
                reports += self._without(waiting.job, waiting.executor)
                self._waiting.remove(waiting)
            elif not waiting.missing:
                self._executors[waiting.executor].submit(waiting.job)
                self._waiting.remove(waiting)
        return reports

    def _without(self, job: Job, name: str) -> list[Report]:
        """The ends of a job's tasks whose files are not to be had; the others are to be handed out again."""
        reports: list[Report] = []
        kept: list[int] = []
        for position, row in enumerate(job.elements):
            lost = min(self._needed([job.fixed, *row], name) & self._lost.keys(), default=None)
            if lost is None:
                kept.append(job.number(position))
                continue
            why = f"{job.task_path(position)} needs {lost}, which cannot be brought: {self._lost[lost]}"
            error = TaskError(kind="place", type="sciflow:InputLost", message=why)
            reports += never_began([job.number(position)], error)
        return [*reports, Lost(numbers=kept)] if kept else reports

    def _needed(self, texts: Iterable[bytes], name: str) -> set[str]:
        """The files that lie elsewhere and neither here nor at the executor."""
        found = (place for text in texts for place in files_elsewhere(self._root, text, home=self._home))
        return {path for at, path in found if at != name and not (self._root / path).exists()}

    def _missing(self, texts: Iterable[bytes], name: str) -> set[str]:
        """The files that lie elsewhere and neither here nor at the executor; they are asked for."""
        if not self._remote:
            return set()
        found: dict[str, set[str]] = {}
        for text in texts:
            for at, path in files_elsewhere(self._root, text, home=self._home):
                if at != name and not (self._root / path).exists():
                    found.setdefault(self._place(at, path), set()).add(path)
        for at, paths in found.items():
            asked = sorted(paths - self._asked - self._lost.keys())
            if at not in self._executors:
                self._lost.update((path, f"{path} lies at {at!r}, which the settings do not name") for path in asked)
            elif asked:
                self._asked.update(asked)
                self._executors[at].fetch(asked)
        return set().union(*found.values())

    def _place(self, at: str, path: str) -> str:
        """Where a file is had from: the run's storage, if it has it."""
        return self._stowage.name if self._stowage is not None and self._stowage.holds(path) else at
