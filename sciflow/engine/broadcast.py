"""How a run at work is told of: its picture in the database and to whoever watches, and what its engine waits for."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from sciflow.core.job import job_of, position_of
from sciflow.core.records import Phase, Progress
from sciflow.engine.outcome import Outcome
from sciflow.engine.parts import Parts
from sciflow.engine.snapshots import snapshot
from sciflow.executors.executor import Advanced


class Broadcast:
    """What is told of one run."""

    def __init__(self, parts: Parts, *, why: Callable[[], str]) -> None:
        """`why`: says why the engine is about to end, if it is."""
        self._parts = parts
        self._why = why
        self._messages: dict[str, str] = {}  # the last of each step
        self._unbegun: set[str] = set()  # nodes none of whose tasks has begun, though they were handed over
        self._notice = ""  # what the engine waits for
        self._mentioned = ""  # how its jobs stand elsewhere

    def hear(self, said: Progress | Advanced) -> None:
        """Takes what is said of the progress of tasks."""
        flight = self._parts.scheduler.in_flight.get(job_of(said.number))
        if flight is None:
            return
        if isinstance(said, Advanced):
            text = said.text or self._messages.get(flight.run.step.path, "")
            (self._unbegun.discard if said.begun else self._unbegun.add)(flight.run.path)
        else:
            total = "" if said.total is None else f"/{said.total:g}"
            task = flight.job.task_path(position_of(said.number))
            text = f"{task}: {said.done:g}{total} {said.message}".rstrip()
        self._messages[flight.run.step.path] = text

    def show(self, outcome: Outcome | None = None) -> float:
        """Shows the run as it is now, or as it has ended; how many seconds that took, without those who watch."""
        parts, begin = self._parts, time.monotonic()
        if outcome is None:
            message = self._notice or self._why() or self._mentioned
        else:
            message = outcome.error.message if outcome.error is not None else ""
        picture = snapshot(
            run_id=parts.folder.id,
            name=parts.name,
            phase=Phase.RUNNING if outcome is None else outcome.phase,
            started=parts.started,
            seconds=time.time() - parts.started - parts.idle_s,
            now=begin,
            steps=parts.scheduler.steps,
            messages=self._messages,
            held=self._held(),
            message=message,
            passing=bool(message) and message == self._mentioned,
        )
        parts.db.put_fact("live", msgspec.json.encode(picture))
        took_s = time.monotonic() - begin
        if parts.on_update is not None:
            parts.on_update(picture)
        return took_s

    def _held(self) -> Counter[str]:
        """How many tasks of each step were handed over that have not begun."""
        held = Counter[str]()
        if self._unbegun:
            for flight in self._parts.scheduler.in_flight.values():
                if flight.run.path in self._unbegun:
                    held[flight.run.step.path] += flight.left
        return held

    def mention(self, text: str) -> None:
        """Has something shown to those who look, and to nobody else."""
        self._mentioned = text

    def notify(self, notice: str) -> None:
        """Says what the engine waits for; nothing: that it goes on."""
        self._notice = notice
        self._parts.db.put_event(time.time(), "waits", notice or "no more")
        with suppress(OSError, ValueError):  # nobody reads it any more, or there is no room for a word of it
            sys.stderr.write(f"sciflow: {notice or 'the run goes on'}\n")
            sys.stderr.flush()
        self.show()
