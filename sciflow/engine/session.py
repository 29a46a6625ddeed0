"""One engine's time with a run, and how it is written down that it began and what the run came to."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from sciflow.core.records import RUN_ENDS, Phase
from sciflow.engine.clearing import by_policy
from sciflow.engine.conclusion import put_end
from sciflow.engine.origin import Origin, stored_origin
from sciflow.engine.outcome import Outcome
from sciflow.engine.records_writer import Writer
from sciflow.engine.run_folder import RunFolder
from sciflow.runner.guard import end_strays
from sciflow.runner.removal import remove


class Session(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is known of it before it begins."""

    folder: RunFolder
    db: Writer
    origin: Origin
    number: int  # 1: no engine has been at work on the run before
    started: float  # the run, not the session
    idle_s: float  # for which the run had ended before it was taken up again
    adopted: str  # a word of its own, if the run was begun by somebody else
    follows: bool  # the engine only looks on
    again: bool  # somebody wants what has ended to go on
    anew: bool  # it has ended as far as is known here, and is told once more from its beginning

    @property
    def first(self) -> bool:
        """Whether no engine has been at work on the run before."""
        return self.number == 1

    def warn(self, text: str) -> None:
        """Tells a person, and writes down that it did."""
        sys.stderr.write(f"sciflow: {text}\n")
        self.db.put_event(time.time(), "warning", text)

    def refuse(self, why: str) -> None:
        """Writes down why a run could not even begin; one that had begun can still be resumed, and stays as it is."""
        if self.first:
            put_end(self.db, Phase.ERROR, why)

    def clear(self) -> None:
        """Forgets what is told once more; to be called when nothing keeps the engine from hearing it any more."""
        if self.anew:
            self.db.put_fact("phase", Phase.PENDING.value)
            self.db.start_over()

    def begin(self) -> None:
        """Writes down that an engine is at work; ends what one that died may have left."""
        db = self.db
        if db.text("phase") == Phase.RUNNING.value:
            db.put_event(time.time(), "died", f"the engine of session {self.number - 1} was found dead")
            end_strays(set(os.listdir(self.folder.part("work"))))  # the names of scratch folders
        db.put_fact("sessions", str(self.number))
        db.put_fact("idle", str(self.idle_s))
        db.put_fact("phase", Phase.RUNNING.value)
        db.put_fact("message", "")
        db.put_fact("because", "")
        db.put_event(time.time(), "began", f"session {self.number}, {self.folder.lock().holder()}")
        db.commit()

    def end(self, outcome: Outcome) -> None:
        """Writes down what the run came to; then what lies on other machines is removed, where the settings say so."""
        if outcome.phase is Phase.SUCCEEDED:
            self.db.put_fact("result", outcome.result)
            unused = sorted(self.origin.setup.reuse.keys() - self.db.keys().keys())
            if unused:
                self.warn(f"reuse names keys that no task has: {', '.join(unused[:5])}")
        message = outcome.error.message if outcome.error is not None else ""
        over = self.adopted and outcome.phase in RUN_ENDS  # it may have been so for long when it was adopted
        put_end(self.db, outcome.phase, message, because=outcome.because, ended=self.db.last_end() if over else None)
        _remove_scratch(self.folder.part("work"))
        if not (self.follows or self.adopted):  # it is for others to say how long they need them
            by_policy(self.folder, outcome.phase, warn=self.warn)


def session_of(folder: RunFolder, db: Writer, *, reopens: bool, follows: bool) -> Session:
    """The next session of the run; `reopens`: what failed was taken up again."""
    anew = follows and bool(db.text("adopted")) and db.text("phase") in RUN_ENDS
    return Session(
        folder=folder,
        db=db,
        origin=stored_origin(db),
        number=int(db.fact("sessions") or 0) + 1,
        started=float(db.fact("started") or time.time()),
        idle_s=0.0 if anew else _idle_s(db),
        adopted=db.text("adopted"),
        follows=follows,
        again=not follows and (reopens or db.text("phase") in RUN_ENDS),
        anew=anew,
    )


def _idle_s(db: Writer) -> float:
    ended = float(db.fact("ended") or 0) if db.text("phase") in RUN_ENDS else 0.0
    return float(db.fact("idle") or 0) + (max(0.0, time.time() - ended) if ended else 0.0)


def _remove_scratch(work: Path) -> None:
    for entry in os.scandir(work):
        with suppress(OSError):  # it belongs to somebody else, or a process that was not found still writes there
            remove(entry.path)
