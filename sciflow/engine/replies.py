"""Answers to suspended nodes: on their way from who gave them to the nodes.

Where an executor carries out the run as a whole, an answer holds when it is known there: others may give one, too.
"""

from __future__ import annotations

from collections.abc import Collection

from sciflow.engine.records_writer import Writer
from sciflow.engine.scheduler import Scheduler
from sciflow.executors.executor import Answered, Conductor


class Replies:
    """The answers of one run."""

    def __init__(self, scheduler: Scheduler, db: Writer, conductor: Conductor | None) -> None:
        self._scheduler = scheduler
        self._db = db
        self._conductor = conductor
        self._given: dict[str, bytes] = {}  # path of a suspended node -> text
        self._passed_on: set[str] = set()  # paths of answers that the conductor has
        self._heard: dict[str, bytes] = {}  # as `_given`, from the conductor

    @property
    def unsettled(self) -> Collection[str]:
        """The paths of answers that are not written down."""
        return self._given

    def take(self, path: str, text: bytes) -> None:
        """Takes what was given here."""
        self._given[path] = text

    def hear(self, said: Answered) -> None:
        """Takes what is known at the run's place, whoever gave it."""
        self._given.pop(said.path, None)
        self._passed_on.discard(said.path)
        if said.text is not None:
            self._heard[said.path] = said.text

    def give(self) -> None:
        """Gives suspended nodes the answers that are there for them, also those that came before the engine did."""
        for path in list(self._given):
            if path in self._scheduler.gates:
                self._pass_on(path)
            elif self._db.has_ended(path):  # somebody else was quicker
                del self._given[path]

    def _pass_on(self, path: str) -> None:
        if self._conductor is None:
            self._scheduler.answer(path, self._given.pop(path))
        elif path not in self._passed_on:
            self._passed_on.add(path)
            self._conductor.answer(path, self._given[path])

    def hand_on(self) -> None:
        """Gives suspended nodes what was heard."""
        for path in self._heard.keys() & self._scheduler.gates.keys():
            self._scheduler.answer(path, self._heard.pop(path))
