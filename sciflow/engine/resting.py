"""A run that waits for somebody while its engine looks on: others may answer where the run is carried out."""

from __future__ import annotations

from sciflow.core.records import Phase
from sciflow.engine.outcome import Outcome
from sciflow.engine.records_writer import Writer


class Rest:
    """Whether a run rests, as it stands in its database."""

    def __init__(self, db: Writer, *, lasting: bool) -> None:
        """`lasting`: the engine stays, and does not leave with the run's rest written down as its outcome."""
        self._db = db
        self._lasting = lasting
        self._told = ""  # what it was last said to wait for

    def lasts(self, outcome: Outcome) -> bool:
        """Whether the engine stays with a run that has come to this; it is written down that the run waits."""
        interrupted = outcome.error is not None and outcome.error.kind == "cancelled"
        if not self._lasting or outcome.phase is not Phase.SUSPENDED or interrupted:
            return False
        message = outcome.error.message if outcome.error is not None else ""
        if message != self._told:
            self._put(Phase.SUSPENDED, message, outcome.because)
        return True

    def end(self) -> None:
        """The run goes on."""
        if self._told:
            self._put(Phase.RUNNING, "", "")

    def _put(self, phase: Phase, message: str, because: str) -> None:
        self._told = message
        for name, value in {"phase": phase.value, "message": message, "because": because}.items():
            self._db.put_fact(name, value)
