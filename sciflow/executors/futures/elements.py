"""The elements that are with a pool: their futures, and what they have written into the run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sciflow.core.records import Loaded, Progress, Reply, TaskError
from sciflow.executors.batch.mirror import Closing, Garbled, lines_of
from sciflow.executors.batch.record import FOLDER, BatchRecord, Stage, write_record
from sciflow.executors.batch.verdict import Verdict, of_exit, of_line
from sciflow.executors.futures.pool import Ended
from sciflow.runner.file_lock import held

SAID_BYTES = 2000
LEAVING_S = 8.0  # for which an element that nobody wants any more may take to end


class Flight(msgspec.Struct, kw_only=True, eq=False):
    """One element with the pool."""

    batch: str
    element: int
    folder: Path
    future: Ended | None = None  # None: an earlier engine's, or the pool has not taken it yet
    told: bytes | None = None  # its standard input, until the pool has taken it
    at: int = 0  # how far its replies were read
    closing: Closing | None = None
    garbled: Garbled | None = None
    unwanted_since: float | None = None

    def heard(self) -> Sequence[Reply | Progress | Loaded]:
        """What it has written since, but for its last line."""
        data = b""
        for part in ("done", "taken", "live"):
            try:
                with open(self.folder / part / str(self.element), "rb") as file:
                    file.seek(self.at)
                    data = file.read()
                break
            except FileNotFoundError:
                continue
        whole = data[: data.rfind(b"\n") + 1]
        self.at += len(whole)
        lines = lines_of(whole)
        self.closing = next((line for line in lines if isinstance(line, Closing)), self.closing)
        self.garbled = next((line for line in lines if isinstance(line, Garbled)), self.garbled)
        return [line for line in lines if not isinstance(line, Closing | Garbled)]

    def give_up(self) -> None:
        """Has it ended, wherever it is."""
        if self.unwanted_since is None:
            self.unwanted_since = time.monotonic()
        mark = self.folder / "cancelled" / str(self.element)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        if self.future is not None:
            self.future.cancel()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more; what nobody wants and does not end counts as ended, too."""
        if self.told is not None:
            return self.unwanted_since is not None
        if self.future is not None and not self.future.done():
            return False
        if not held(str(self.folder / "live" / str(self.element))):
            return True
        if self.unwanted_since is None:
            self.give_up()  # the pool has lost it, and it goes on
        return time.monotonic() - (self.unwanted_since or 0.0) > LEAVING_S

    def verdict(self) -> Verdict | None:
        """What became of it, if it did not come to its end in order; of one that is over."""
        if self.garbled is not None:
            return of_line(self.garbled, str(self.folder / "done" / str(self.element)))
        if self.future is None or self.future.cancelled():
            return None if self.future is None else _lost("its future was cancelled outside of the run")
        error = self.future.exception()
        if error is not None:
            return _lost(f"the pool did not run it to its end: {type(error).__name__}: {error}".rstrip(": "))
        code = self.future.result().returncode
        if code == 0:
            return None
        return of_exit(code, began=self.at > 0, tail=self._tail())

    def _tail(self) -> str:
        try:
            return (self.folder / "out" / str(self.element)).read_bytes()[-SAID_BYTES:].decode(errors="replace")
        except FileNotFoundError:
            return ""


def _lost(message: str) -> Verdict:
    return Verdict(error=TaskError(kind="died", type="sciflow:NodeFailure", message=message, transient=True))


def recall(root: Path, records: Sequence[BatchRecord], *, running: bool) -> None:
    """Has submissions of an earlier engine begin nothing more; `running`: what runs is ended, too."""
    for record in records:
        folder = folder_of(root, record.name)
        (folder / "stop").touch()
        if running:
            for k in range(len(record.elements)):
                Flight(batch=record.name, element=k, folder=folder).give_up()
            write_record(root, msgspec.structs.replace(record, stage=Stage.OVER))


def folder_of(root: Path, batch: str) -> Path:
    """A submission's folder."""
    return root / FOLDER / batch
