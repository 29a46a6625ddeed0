"""Has a batch system take submissions, once each, or finds out whether it has. `handover` brings them to its host.

Whatever it does may be done again after a break of the connection: it goes on with what is not done yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, QueueFull, QueueUnavailable, RunDamaged, SubmissionGone, SubmissionRefused
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.losses import Losses
from sciflow.executors.batch.news import News, Notice, Send
from sciflow.executors.batch.opened import NEVER, Open, Opened
from sciflow.executors.batch.record import Stage

FULL_S = 15.0  # until a submission is tried again for which there was no room


class Submitter:
    """Speaks with the batch system of one ward about what it is to run."""

    def __init__(self, handover: Handover, opened: Opened, losses: Losses, tell: Callable[[News], None]) -> None:
        self._handover = handover
        self._opened = opened
        self._losses = losses
        self._tell = tell
        self.last_news = time.monotonic()

    def submit(self, *, closing: Callable[[], bool]) -> None:
        """Brings to the host and submits what is not there yet.

        `closing`: nothing more is to be handed over, whatever was brought: another engine may be at work by then.
        """
        for batch in self._opened.all():
            if closing():
                return
            if batch.send is not None and batch.due:
                self._submit(batch, batch.send, closing)
            elif batch.sought and batch.due:
                self._seek_in_time(batch)

    def _submit(self, batch: Open, send: Send, closing: Callable[[], bool]) -> None:
        try:
            self._send(batch, send, closing)
            if closing():  # also while it was written down that it is there: who came since has not read that
                return
            job = self._handover.submit(send.record.name, send.secrets)
        except (QueueFull, QueueUnavailable) as error:
            self._put_off(batch, error)
            if isinstance(error, SubmissionGone) and self._losses.believed(batch.record.name):
                batch.record = msgspec.structs.replace(batch.record, stage=Stage.PACKED)  # it is sent once more
                self._losses.seen(batch.record.name)
            return
        except (SubmissionRefused, ConfigError) as error:
            self._opened.refuse(batch, _refused(error))
            return
        except RunDamaged as error:
            self._opened.refuse(batch, _input_lost(error))
            return
        if job is None:  # another engine was told so: it never will be
            self._opened.refuse(batch, NEVER)
            return
        self._opened.put_stage(batch, Stage.SUBMITTED, job=job)
        batch.send = None
        self.last_news = time.monotonic()
        if batch.not_before:
            self._tell(Notice(text=""))

    def _send(self, batch: Open, send: Send, closing: Callable[[], bool]) -> None:
        """Brings to the host what is not there yet."""
        if batch.record.stage is not Stage.PACKED:
            return
        self._opened.put_stage(batch, Stage.PACKED)
        self._handover.send(send)
        if not closing():
            self._opened.put_stage(batch, Stage.SENT)

    def _put_off(self, batch: Open, error: QueueFull | QueueUnavailable) -> None:
        """To be tried again later; what runs meanwhile is looked after."""
        batch.not_before = time.monotonic() + FULL_S
        self._tell(Notice(text=f"{self._handover.depot.transport.name}: {error}; waiting"))

    # --- what is not known

    def recall(self, batch: Open) -> None:
        """Finds out whether there is anything to be ended of a submission, if that is not known."""
        if batch.record.stage is Stage.SENT:
            self._seek(batch, recalled=True)

    def _seek_in_time(self, batch: Open) -> None:
        """Finds it out now or later; what runs meanwhile is looked after."""
        try:
            self._seek(batch)
        except QueueUnavailable as error:
            self._put_off(batch, error)
            return
        if batch.not_before:
            self._tell(Notice(text=""))

    def _seek(self, batch: Open, *, recalled: bool = False) -> None:
        """Finds out whether a submission was made about which an engine, or the connection, has died.

        `recalled`: nothing of it is wanted. It counts as not made then as soon as its folder is not there and the
        queue does not have it, which without an engine nobody looks at again.
        """
        try:
            job = self._handover.submit(batch.record.name, {}, only_find=True)
        except SubmissionGone:
            if not recalled and not self._losses.believed(batch.record.name):
                raise
            job = None
        if job is None:
            self._opened.refuse(batch, NEVER)
            return
        self._opened.put_stage(batch, Stage.SUBMITTED, job=job)
        batch.send, batch.sought = None, False


def _refused(error: SubmissionRefused | ConfigError) -> TaskError:
    return TaskError(kind="refused", type="sciflow:SubmissionRefused", message=str(error), fatal=True)


def _input_lost(error: RunDamaged) -> TaskError:
    return TaskError(kind="place", type="sciflow:InputLost", message=str(error))
