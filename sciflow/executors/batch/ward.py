"""The submissions that are with a host: asked after, ended, taken leave of. `submitter` has them taken there.

Whatever it does may be done again after a break of the connection: it goes on with what is not done yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sciflow.core.records import TaskError
from sciflow.executors.batch.aftermath import Aftermath
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.losses import Losses
from sciflow.executors.batch.mirror import Answer, BatchNews, Closing, Garbled, Mirror, split
from sciflow.executors.batch.news import Adopt, Cancelled, Heard, News, Over, Send, Withdrawn
from sciflow.executors.batch.opened import NEVER, Open, Opened
from sciflow.executors.batch.queue_report import QueueReport
from sciflow.executors.batch.recall import QUEUE_S, Recall
from sciflow.executors.batch.record import Stage
from sciflow.executors.batch.submitter import Submitter
from sciflow.executors.systems.system import JobState, SystemLimits

ANSWER_BYTES = 16 << 20


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
        self._fresh_s = fresh_s
        self._tell = tell
        self._mirror = Mirror(here, here=handover.shared)
        self._aftermath = Aftermath(handover, self._mirror, tell, marks_s=marks_s)
        self._recall = Recall(handover, self._mirror, here=here)
        self._losses = Losses(handover, patience_s=marks_s)
        self._opened = Opened(here, tell, settled=self._forget)
        self._submitter = Submitter(handover, self._opened, self._losses, tell)
        handover.records = lambda: [batch.record for batch in self._opened.all()]
        self._queue = QueueReport(handover, tell)
        self._last_news = time.monotonic()

    def __len__(self) -> int:
        return len(self._opened)

    @property
    def last_news(self) -> float:
        """When something has happened last, by the monotonic clock."""
        return max(self._last_news, self._submitter.last_news, self._aftermath.last_news)

    @property
    def unsent(self) -> bool:
        """Whether something is still to be submitted."""
        return any(batch.due for batch in self._opened.all())

    @property
    def has_sent(self) -> bool:
        """Whether something of the run must be in the host's folder, from which it takes or collects jobs."""
        return not self.handover.shared and any(b.record.stage is not Stage.PACKED for b in self._opened.all())

    def accept(self, order: Send | Adopt) -> None:
        """Takes a submission up."""
        match order:
            case Send(record=record):
                self._opened.add(Open(record=record, send=order))
            case Adopt(record=record):
                sought = record.stage is Stage.SENT
                withdrawn = set(record.withdrawn)
                self._opened.add(Open(record=record, from_start=True, sought=sought, withdrawn=withdrawn))

    def limits(self) -> SystemLimits:
        """What the batch system allows."""
        command = self.handover.system.limits()
        return command.parse(self._depot.run(command.argv, timeout_s=QUEUE_S))

    def submit(self, *, closing: Callable[[], bool]) -> None:
        """See `Submitter`."""
        self._submitter.submit(closing=closing)

    # --- looking

    def look(self) -> bool:
        """Asks how all are, in one round trip, and tells what is new; whether there is more at once."""
        answer, body = self._survey()
        states = self._queue.states(answer.queue)
        try:
            self._recall.take_back(self._opened.watched(), states or ())
        finally:  # what the host has said counts whatever becomes of that
            more = self._digest(answer, body, states)
        return more

    def _survey(self) -> tuple[Answer, memoryview]:
        stopped = any(batch.stopped for batch in self._opened.watched())  # an older answer names what has begun since
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
            for batch in self._opened.watched()
        ]
        request = {"queue": queue, "mirror": not self.handover.shared, "limit": ANSWER_BYTES, "batches": batches}
        said = self._depot.call("survey", request, timeout_s=QUEUE_S + 60)
        for batch in self._opened.watched():
            batch.taken = []
        head, body = split(said.stdout)
        return self._depot.read("survey", head, Answer), body

    def _digest(self, answer: Answer, body: memoryview, states: Sequence[JobState] | None) -> bool:
        """Tells what is new; whether there is more at once."""
        more = False
        by_folder = {self.handover.folder(batch.record.name): batch for batch in self._opened.watched()}
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
        for batch in self._opened.watched():
            if len(batch.ended) == len(batch.record.elements):
                self._opened.settle(batch, Stage.OVER)
                self._tell(Over(record=batch.record))
        jobs = {batch.record.job: batch.record.executor for batch in self._opened.watched()}
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
        self._opened.refuse(batch, NEVER if batch.record.stage is Stage.OVER else lost)

    def _forget(self, batch: Open) -> None:
        """Nothing more will come of a submission."""
        self._mirror.forget(batch.record)
        self._aftermath.forget(batch.record.name)
        self._recall.settled(batch)
        self._losses.seen(batch.record.name)

    # --- ending

    def withdraw(self) -> None:
        """Begins nothing more: what was not submitted or waits in the queue comes back, what runs may end."""
        for batch in self._opened.all():
            self._submitter.recall(batch)
        for batch in self._opened.all():
            if batch.send is not None:
                self._opened.refuse(batch, NEVER)
        self._recall.stop(self._opened.watched())
        self._tell(Withdrawn())

    def cancel(self, elements: Mapping[str, Sequence[int]]) -> None:
        """Ends elements of submissions; what they have done by then is for the next engine to hear."""
        for batch in self._opened.all():
            if batch.record.name in elements:
                self._submitter.recall(batch)
        found = [(batch, wanted) for batch in self._opened.all() if (wanted := elements.get(batch.record.name))]
        self._recall.end(found)
        for batch, wanted in found:
            batch.ended.update(wanted)
            if len(batch.ended) == len(batch.record.elements):
                self._opened.settle(batch, Stage.ENDED if batch.record.stage is Stage.PACKED else Stage.OVER)
        if elements:
            self._tell(Cancelled(elements=elements))

    def cancel_all(self) -> None:
        """Ends all that there is."""
        self.cancel({batch.record.name: range(len(batch.record.elements)) for batch in self._opened.all()})
