"""The submissions that are with a host: asked after, ended, taken leave of. `handover` brings them there.

Whatever it does may be done again after a break of the connection: it goes on with what is not done yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, QueueFull, QueueUnavailable, RunDamaged, SubmissionGone, SubmissionRefused
from sciflow.executors.batch.aftermath import Aftermath
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.losses import Losses
from sciflow.executors.batch.mirror import Answer, BatchNews, Closing, Garbled, Mirror, split
from sciflow.executors.batch.news import Adopt, Cancelled, Heard, News, Notice, Over, Refused, Send, Withdrawn
from sciflow.executors.batch.opened import Open
from sciflow.executors.batch.queue_report import QueueReport
from sciflow.executors.batch.recall import QUEUE_S, Recall
from sciflow.executors.batch.record import Stage, write_record
from sciflow.executors.systems.system import JobState, SystemLimits

ANSWER_BYTES = 16 << 20
NEVER = TaskError(kind="never", message="it was not submitted")
FULL_S = 15.0  # until a submission is tried again for which there was no room


class Ward:
    """Looks after submissions on one host."""

    def __init__(
        self,
        handover: Handover,
        *,
        here: Path,
        fresh_s: float,
        marks_s: float,
        tell: Callable[[News], None],
    ) -> None:
        """`here` is the run folder; `fresh_s`: an answer of the queue that another run got so long ago will do.

        `marks_s`: for so long the host's file system may not show what is there.
        """
        self.handover = handover
        self._depot = handover.depot
        self._here = here
        self._fresh_s = fresh_s
        self._tell = tell
        self._mirror = Mirror(here, here=handover.shared)
        self._aftermath = Aftermath(handover, self._mirror, tell, marks_s=marks_s)
        self._recall = Recall(handover, self._mirror, here=here)
        self._losses = Losses(handover, patience_s=marks_s)
        self._open: dict[str, Open] = {}
        handover.records = lambda: [batch.record for batch in self._open.values()]
        self._queue = QueueReport(handover, tell)
        self._last_news = time.monotonic()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def last_news(self) -> float:
        """When something has happened last, by the monotonic clock."""
        return max(self._last_news, self._aftermath.last_news)

    @property
    def unsent(self) -> bool:
        """Whether something is still to be submitted."""
        return any(batch.due for batch in self._open.values())

    @property
    def has_sent(self) -> bool:
        """Whether something of the run must be in the host's folder, from which it takes or collects jobs."""
        return not self.handover.shared and any(b.record.stage is not Stage.PACKED for b in self._open.values())

    def accept(self, order: Send | Adopt) -> None:
        """Takes a submission up."""
        match order:
            case Send(record=record):
                self._open[record.name] = Open(record=record, send=order)
            case Adopt(record=record):
                sought = record.stage is Stage.SENT
                withdrawn = set(record.withdrawn)
                self._open[record.name] = Open(record=record, from_start=True, sought=sought, withdrawn=withdrawn)

    def limits(self) -> SystemLimits:
        """What the batch system allows."""
        command = self.handover.system.limits()
        return command.parse(self._depot.run(command.argv, timeout_s=QUEUE_S))

    # --- submitting

    def submit(self, *, closing: Callable[[], bool]) -> None:
        """Brings to the host and submits what is not there yet.

        `closing`: nothing more is to be handed over, whatever was brought: another engine may be at work by then.
        """
        for batch in list(self._open.values()):
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
            job = self.handover.submit(send.record.name, send.secrets)
        except (QueueFull, QueueUnavailable) as error:
            self._put_off(batch, error)
            if isinstance(error, SubmissionGone) and self._losses.believed(batch.record.name):
                batch.record = msgspec.structs.replace(batch.record, stage=Stage.PACKED)  # it is sent once more
                self._losses.seen(batch.record.name)
            return
        except (SubmissionRefused, ConfigError) as error:
            self._refuse(batch, _refused(error))
            return
        except RunDamaged as error:
            self._refuse(batch, _input_lost(error))
            return
        if job is None:  # another engine was told so: it never will be
            self._refuse(batch, NEVER)
            return
        self._put_stage(batch, Stage.SUBMITTED, job=job)
        batch.send = None
        self._last_news = time.monotonic()
        if batch.not_before:
            self._tell(Notice(text=""))

    def _send(self, batch: Open, send: Send, closing: Callable[[], bool]) -> None:
        """Brings to the host what is not there yet."""
        if batch.record.stage is not Stage.PACKED:
            return
        self._put_stage(batch, Stage.PACKED)
        self.handover.send(send)
        if not closing():
            self._put_stage(batch, Stage.SENT)

    def _refuse(self, batch: Open, error: TaskError) -> None:
        """Nothing of it was done, or is left."""
        self._settle(batch)
        self._tell(Refused(batch=batch.record.name, error=error))

    def _put_off(self, batch: Open, error: QueueFull | QueueUnavailable) -> None:
        """To be tried again later; what runs meanwhile is looked after."""
        batch.not_before = time.monotonic() + FULL_S
        self._tell(Notice(text=f"{self._depot.transport.name}: {error}; waiting"))

    def _put_stage(self, batch: Open, stage: Stage, *, job: str | None = None) -> None:
        job = batch.record.job if job is None else job
        record = msgspec.structs.replace(batch.record, stage=stage, job=job)
        write_record(self._here, record)  # first: while the disk is full it is where it was
        batch.record = record

    def _settle(self, batch: Open, stage: Stage = Stage.ENDED) -> None:
        """Nothing more will come of it."""
        self._put_stage(batch, stage)
        batch.send = None
        self._mirror.forget(batch.record)
        self._aftermath.forget(batch.record.name)
        self._recall.settled(batch)
        self._losses.seen(batch.record.name)
        self._open.pop(batch.record.name, None)

    # --- looking

    def look(self) -> bool:
        """Asks how all are, in one round trip, and tells what is new; whether there is more at once."""
        answer, body = self._survey()
        states = self._queue.states(answer.queue)
        try:
            self._recall.take_back(self._watched(), states or ())
        finally:  # what the host has said counts whatever becomes of that
            more = self._digest(answer, body, states)
        return more

    def _survey(self) -> tuple[Answer, memoryview]:
        stopped = any(batch.stopped for batch in self._watched())  # an older answer names what has begun since
        fresh_s = 0.0 if stopped else self._fresh_s
        queue = {"argv": self.handover.system.queue().argv, "timeout_s": QUEUE_S, "fresh_s": fresh_s}
        batches = [
            {
                "dir": self.handover.folder(batch.record.name),
                "offsets": self._mirror.offsets(batch.record, from_start=batch.from_start),
                "taken": batch.taken,
                "from_start": batch.from_start,
                "workers": batch.record.workers,
            }
            for batch in self._watched()
        ]
        request = {"queue": queue, "mirror": not self.handover.shared, "limit": ANSWER_BYTES, "batches": batches}
        said = self._depot.call("survey", request, timeout_s=QUEUE_S + 60)
        for batch in self._watched():
            batch.taken = []
        head, body = split(said.stdout)
        return self._depot.read("survey", head, Answer), body

    def _watched(self) -> list[Open]:
        return [batch for batch in self._open.values() if batch.send is None and not batch.sought]

    def _digest(self, answer: Answer, body: memoryview, states: Sequence[JobState] | None) -> bool:
        """Tells what is new; whether there is more at once."""
        more = False
        by_folder = {self.handover.folder(batch.record.name): batch for batch in self._watched()}
        for news in answer.batches:
            batch = by_folder[news.dir]
            used = self._hear(batch, news, body)
            body = body[used:]
            more = more or news.more
            if news.gone or self._losses.is_ending(batch.record.name):
                if not news.away and self._losses.is_lost(batch, states):
                    self._lose(batch, news.dir)
                continue
            self._losses.seen(batch.record.name)
            if not news.more:
                self._aftermath.look(batch, news, states)
        self._aftermath.conclude()
        for batch in self._watched():
            if len(batch.ended) == len(batch.record.elements):
                self._settle(batch, Stage.OVER)
                self._tell(Over(record=batch.record))
        jobs = {batch.record.job: batch.record.executor for batch in self._watched()}
        self._queue.tell(jobs, states, waits=self._losses.told() or self._aftermath.waits())
        if any(news.away for news in answer.batches):
            raise self._depot.away(self.handover.root.rpartition("/")[0])
        return more

    def _hear(self, batch: Open, news: BatchNews, body: memoryview) -> int:
        told, used = self._mirror.take(batch.record, news, body)
        if used:
            self._last_news = time.monotonic()
        for element, lines in told:
            replies = [line for line in lines if not isinstance(line, Closing | Garbled)]
            if replies:
                self._tell(Heard(batch=batch.record.name, element=element, replies=replies))
            for line in lines:
                match line:
                    case Garbled():
                        self._aftermath.damage(batch, element, line)
                    case Closing(facts=facts):
                        self._aftermath.close(batch, element, facts)
        batch.from_start = batch.from_start and (news.more or news.gone)  # until all has been told
        return used

    def _lose(self, batch: Open, folder: str) -> None:
        """Somebody has removed what the host had of a submission."""
        problem = f"{self._depot.transport.name}: {folder} is gone: somebody has removed it"
        lost = TaskError(kind="died", type="sciflow:JobLost", message=problem, transient=True)
        self._refuse(batch, NEVER if batch.record.stage is Stage.OVER else lost)

    # --- what is not known

    def _seek_in_time(self, batch: Open) -> None:
        """Finds it out now or later; what runs meanwhile is looked after."""
        try:
            self._seek(batch)
        except QueueUnavailable as error:
            self._put_off(batch, error)
            return
        if batch.not_before:
            self._tell(Notice(text=""))

    def _unsure(self) -> list[Open]:
        """Submissions that the batch system may have without our knowing."""
        return [batch for batch in self._open.values() if batch.record.stage is Stage.SENT]

    def _seek(self, batch: Open, *, recalled: bool = False) -> None:
        """Finds out whether a submission was made about which an engine, or the connection, has died.

        `recalled`: nothing of it is wanted. It counts as not made then as soon as its folder is not there and the
        queue does not have it, which without an engine nobody looks at again.
        """
        try:
            job = self.handover.submit(batch.record.name, {}, only_find=True)
        except SubmissionGone:
            if not recalled and not self._losses.believed(batch.record.name):
                raise
            job = None
        if job is None:
            self._refuse(batch, NEVER)
            return
        self._put_stage(batch, Stage.SUBMITTED, job=job)
        batch.send, batch.sought = None, False

    # --- ending

    def withdraw(self) -> None:
        """Begins nothing more: what was not submitted or waits in the queue comes back, what runs may end."""
        for unsure in self._unsure():
            self._seek(unsure, recalled=True)
        for batch in [batch for batch in self._open.values() if batch.send is not None]:
            self._refuse(batch, NEVER)
        self._recall.stop(self._watched())
        self._tell(Withdrawn())

    def cancel(self, elements: Mapping[str, Sequence[int]]) -> None:
        """Ends elements of submissions; what they have done by then is for the next engine to hear."""
        for unsure in self._unsure():
            if unsure.record.name in elements:
                self._seek(unsure, recalled=True)
        found = [(self._open[name], wanted) for name, wanted in elements.items() if name in self._open]
        self._recall.end(found)
        for batch, wanted in found:
            batch.ended.update(wanted)
            if len(batch.ended) == len(batch.record.elements):
                self._settle(batch, Stage.ENDED if batch.record.stage is Stage.PACKED else Stage.OVER)
        if elements:
            self._tell(Cancelled(elements=elements))

    def cancel_all(self) -> None:
        """Ends all that there is."""
        self.cancel({name: range(len(batch.record.elements)) for name, batch in self._open.items()})


def _refused(error: SubmissionRefused | ConfigError) -> TaskError:
    return TaskError(kind="refused", type="sciflow:SubmissionRefused", message=str(error), fatal=True)


def _input_lost(error: RunDamaged) -> TaskError:
    return TaskError(kind="place", type="sciflow:InputLost", message=str(error))
