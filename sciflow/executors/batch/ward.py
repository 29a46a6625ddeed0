"""The submissions of an executor that are with a host: sent, asked after, taken leave of.

Whatever it does may be done again after a break of the connection: it goes on with what is not done yet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec

from sciflow.core.records import TaskError
from sciflow.errors import ConfigError, QueueFull, QueueUnavailable, SubmissionRefused
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.mirror import Answer, BatchNews, Closing, ClosingFacts, Mirror, QueueAnswer, split
from sciflow.executors.batch.missing import Missing
from sciflow.executors.batch.news import Adopt, Cancelled, Closed, Condemned, Heard, News, Notice, Refused, Send
from sciflow.executors.batch.record import FOLDER, BatchRecord, Stage, write_record
from sciflow.executors.batch.standing import standing
from sciflow.executors.batch.verdict import Verdict, of_exit, of_state
from sciflow.executors.containers.launch import Place, command_of, told_of
from sciflow.executors.systems.system import BatchSystem, JobState, Part, State, SystemLimits
from sciflow.executors.transports.transport import Output

ANSWER_BYTES = 16 << 20
QUEUE_S = 30.0  # for the batch system's own commands
SUBMIT_S = 120.0
NEVER = TaskError(kind="never", message="it was not submitted")
FULL_S = 15.0  # until a submission is tried again for which there was no room


class Open(msgspec.Struct, kw_only=True, eq=False):
    """A submission of which something is to come."""

    record: BatchRecord
    send: Send | None = None  # what is still to be sent
    not_before: float = 0.0  # when to try to submit it again
    sought: bool = False  # of an earlier engine: whether the batch system has it is to be found out
    from_start: bool = False  # what it has said is to be told from the beginning
    ended: set[int] = msgspec.field(default_factory=set)
    queued: set[int] = msgspec.field(default_factory=set)  # as the batch system said last
    withdrawn: set[int] = msgspec.field(default_factory=set)
    taken: list[int] = msgspec.field(default_factory=list)  # closed elements, to be told with the next look


class Ward:
    """Looks after submissions on one host."""

    def __init__(
        self,
        depot: Depot,
        system: Callable[[Depot], BatchSystem],
        *,
        here: Path,
        there: str | None,
        fresh_s: float,
        tell: Callable[[News], None],
    ) -> None:
        """`here` is the run folder; `there` the run's root under the depot, None if that is the run folder itself.

        `fresh_s`: an answer of the batch system that another run got so long ago will do.
        """
        self._depot = depot
        self._make_system = system
        self._here = here
        self._there = there
        self._fresh_s = fresh_s
        self._tell = tell
        self._mirror = Mirror(here, here=there is None)
        self._missing = Missing()
        self._open: dict[str, Open] = {}
        self._queue_trouble = ""
        self._standing = ""
        self.last_news = time.monotonic()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def unsent(self) -> bool:
        """Whether something is still to be submitted."""
        return any(map(_is_due, self._open.values()))

    @property
    def root(self) -> str:
        """The run's root on the host, which must have been reached before."""
        return f"{self._depot.root}/{self._there}" if self._there is not None else str(self._here)

    def accept(self, order: Send | Adopt) -> None:
        """Takes a submission up."""
        match order:
            case Send(record=record):
                self._open[record.name] = Open(record=record, send=order)
            case Adopt(record=record):
                sought = record.stage is Stage.SENT
                self._open[record.name] = Open(record=record, from_start=True, sought=sought)

    def _folder(self, name: str) -> str:
        """A submission's folder on the host."""
        return f"{self.root}/{FOLDER}/{name}"

    @cached_property
    def _system(self) -> BatchSystem:
        """Made when the host has been reached: some need to know what is there."""
        return self._make_system(self._depot)

    def limits(self) -> SystemLimits:
        """What the batch system allows."""
        command = self._system.limits()
        return command.parse(self._depot.run(command.argv, timeout_s=QUEUE_S))

    # --- submitting

    def submit(self) -> None:
        """Brings to the host and submits what is not there yet."""
        for batch in list(self._open.values()):
            if batch.send is not None and _is_due(batch):
                self._submit(batch, batch.send)
            elif batch.sought:
                self._seek(batch)

    def _submit(self, batch: Open, send: Send) -> None:
        if batch.record.stage is Stage.PACKED:
            self._send(batch, send)
        try:
            job = self._submitted(send.record.name, send.secrets)
        except QueueFull as error:
            batch.not_before = time.monotonic() + FULL_S
            self._tell(Notice(text=f"{self._depot.transport.name}: {error}; waiting for jobs to end"))
            return
        except (SubmissionRefused, ConfigError) as error:
            self._settle(batch)
            told = TaskError(kind="refused", type="sciflow:SubmissionRefused", message=str(error), fatal=True)
            self._tell(Refused(batch=send.record.name, error=told))
            return
        batch.send = None
        self._put_stage(batch, Stage.SUBMITTED, job=job)
        self.last_news = time.monotonic()

    def _send(self, batch: Open, send: Send) -> None:
        folder = self._folder(send.record.name)
        told, command = self._command(send, folder)
        submission = msgspec.structs.replace(send.submission, folder=folder, command=command)
        script = self._system.script(submission).encode()
        index = msgspec.json.encode({**send.index, **told, "root": self.root, "depot": self._depot.root})
        files = {"index.json": index, "requests": send.requests, "script.sh": script}
        if self._there is None:
            self._write_here(send.record.name, files)
        inside = f"{FOLDER}/{send.record.name}"
        there = {} if self._there is None else {f"{inside}/{name}": content for name, content in files.items()}
        root = self.root if self._there is not None else f"{self._depot.root}/runs/{self._here.name}"
        self._depot.supply(root, send.supply, send.code, there)
        self._put_stage(batch, Stage.SENT)

    def _command(self, send: Send, folder: str) -> tuple[Mapping[str, object], tuple[str, ...]]:
        """What runs an element, and what its index says of that."""
        if send.launch is None:
            return {}, self._depot.element(folder)
        depot = self._depot
        own = self._there is None
        place = Place(
            root=self.root, depot=depot.root, runner=depot.runner, folder=folder, batch=send.record.name, own=own
        )
        told = told_of(send.launch, place, (*send.environ, *send.secrets))
        return {"container": told}, command_of(told, place, depot.python)

    def _write_here(self, name: str, files: Mapping[str, bytes]) -> None:
        folder = self._here / FOLDER / name
        for file, content in files.items():
            (folder / file).write_bytes(content)

    def _submitted(self, name: str, secrets: Mapping[str, str], *, only_find: bool = False) -> str:
        """Has the batch system take a submission, once, whatever has died meanwhile; its id, "" if it never did.

        Raises:
            SubmissionRefused, QueueUnavailable: see `BatchSystem.submit`.
        """
        folder = self._folder(name)
        command, queue = self._system.submit(f"{folder}/script.sh"), self._system.queue()
        request = {
            "dir": folder,
            "name": name,
            "argv": command.argv,
            "find": {"argv": queue.argv},
            "timeout_s": SUBMIT_S,
            "secrets": dict(secrets),
            "only_find": only_find,
        }
        said = json.loads(self._depot.call("submit", request, timeout_s=SUBMIT_S + 30).stdout)
        if said.get("never"):
            return ""
        if said.get("unsure"):
            raise QueueUnavailable(f"whether {name} was submitted is not known yet: {said['stderr']}")
        output = Output(code=said["code"], stdout=said["stdout"].encode(), stderr=said["stderr"].encode())
        if said.get("found"):
            return next((state.job for state in queue.parse(output) if state.name == name), "")
        return command.parse(output)

    def _put_stage(self, batch: Open, stage: Stage, *, job: str | None = None) -> None:
        job = batch.record.job if job is None else job
        batch.record = msgspec.structs.replace(batch.record, stage=stage, job=job)
        write_record(self._here, batch.record)

    def _settle(self, batch: Open) -> None:
        """Nothing more will come of it."""
        batch.send = None
        self._put_stage(batch, Stage.ENDED)
        self._mirror.forget(batch.record)
        self._missing.forget(batch.record.name)
        self._open.pop(batch.record.name, None)

    # --- looking

    def look(self) -> bool:
        """Asks how all are, in one round trip, and tells what is new; whether there is more at once."""
        answer, body = self._survey()
        return self._digest(answer, body, self._states(answer))

    def _survey(self) -> tuple[Answer, memoryview]:
        queue = {"argv": self._system.queue().argv, "timeout_s": QUEUE_S, "fresh_s": self._fresh_s}
        batches = [
            {
                "dir": self._folder(batch.record.name),
                "offsets": self._mirror.offsets(batch.record),
                "taken": batch.taken,
                "from_start": batch.from_start,
            }
            for batch in self._watched()
        ]
        request = {"queue": queue, "mirror": self._there is not None, "limit": ANSWER_BYTES, "batches": batches}
        said = self._depot.call("survey", request, timeout_s=QUEUE_S + 60)
        for batch in self._watched():
            batch.taken = []
        return split(said.stdout)

    def _watched(self) -> list[Open]:
        return [batch for batch in self._open.values() if batch.send is None and not batch.sought]

    def _states(self, answer: Answer) -> Sequence[JobState] | None:
        """What the batch system says of this user's jobs; None if it says nothing now."""
        if answer.queue is None:
            return None
        trouble, states = "", None
        if answer.queue.timed_out:
            trouble = "the batch system does not answer"
        else:
            try:
                states = self._system.queue().parse(_said(answer.queue))
            except QueueUnavailable as error:
                trouble = str(error)
        if trouble != self._queue_trouble:
            self._queue_trouble = trouble
            self._tell(Notice(text=trouble and f"{self._depot.transport.name}: {trouble}; waiting"))
        return states

    def _digest(self, answer: Answer, body: memoryview, states: Sequence[JobState] | None) -> bool:
        """Tells what is new; whether there is more at once."""
        more = False
        self._stand(states)
        by_folder = {self._folder(batch.record.name): batch for batch in self._watched()}
        for news in answer.batches:
            batch = by_folder[news.dir]
            used = self._hear(batch, news, body)
            body = body[used:]
            more = more or news.more
            if not news.more:
                self._miss(batch, news, states)
            if len(batch.ended) == len(batch.record.elements):
                self._settle(batch)
        return more

    def _stand(self, states: Sequence[JobState] | None) -> None:
        """Tells what the queue says, if it says something else than before."""
        watched = {batch.record.job: batch.record.executor for batch in self._watched()}
        name = next(iter(watched.values()), "")
        told = self._standing if states is None else standing(name, watched.keys(), states)
        if told != self._standing:
            self._standing = told
            self._tell(Notice(text=told, passing=True))

    def _hear(self, batch: Open, news: BatchNews, body: memoryview) -> int:
        told, used = self._mirror.take(batch.record, news, body)
        if used:
            self.last_news = time.monotonic()
        for element, lines in told:
            replies = [line for line in lines if not isinstance(line, Closing)]
            if replies:
                self._tell(Heard(batch=batch.record.name, element=element, replies=replies))
            for closing in (line for line in lines if isinstance(line, Closing)):
                self._close(batch, element, closing.facts)
        batch.from_start = False
        return used

    def _close(self, batch: Open, element: int, facts: ClosingFacts) -> None:
        """An element has come to its end by itself."""
        self._mirror.place(batch.record.name, element).closed = True
        if facts.why == "time" and facts.cut is not None and len(facts.left) == len(batch.record.elements[element]):
            # it had all the time of its job: another one would not be enough either
            over = JobState(job=batch.record.job, state=State.TIME_LIMIT)
            self._condemn(batch, element, of_state(over, batch.record, tail=""))
            return
        batch.ended.add(element)
        batch.taken.append(element)
        self._tell(Closed(batch=batch.record.name, element=element))

    # --- what ended without a word

    def _miss(self, batch: Open, news: BatchNews, states: Sequence[JobState] | None) -> None:
        name, record = self._depot.transport.name, batch.record
        if news.gone:
            problem = f"{name}: {news.dir} is gone: somebody has removed it"
            error = TaskError(kind="died", type="sciflow:JobLost", message=problem, transient=True)
            self._tell(Refused(batch=record.name, error=error))
            self._settle(batch)
            return
        for element, code in news.died.items():
            if int(element) not in batch.ended:
                began = self._mirror.place(record.name, int(element)).replies > 0
                verdict = of_exit(code, began=began, tail=news.said.get(element, ""))
                self._condemn(batch, int(element), verdict)
        if states is not None:
            self._forgo(batch, news, states)
            died = set(map(int, news.died))
            unheard = [k for k in range(len(record.elements)) if k not in batch.ended and k not in died]
            for k, state in self._missing.look(self._depot, self._system, record, unheard, states):
                self._condemn(batch, k, of_state(state, record, tail=self._tail(record, k)))

    def _forgo(self, batch: Open, news: BatchNews, states: Sequence[JobState]) -> None:
        """Notes what waits in the queue; what was withdrawn and is gone from there will not come."""
        own = [state for state in states if state.job == batch.record.job and not state.state.ended]
        everything = range(len(batch.record.elements))
        listed = set(everything) if any(s.element is None for s in own) else {s.element for s in own}
        waiting = {s.element for s in own if s.state in {State.QUEUED, State.HELD}}
        batch.queued = (set(everything) if None in waiting else {k for k in waiting if k is not None}) - batch.ended
        for element in sorted(batch.withdrawn - listed - batch.ended):
            if str(element) not in news.elements:  # it had not begun
                batch.ended.add(element)
                self._tell(Closed(batch=batch.record.name, element=element))

    def _condemn(self, batch: Open, element: int, verdict: Verdict) -> None:
        batch.ended.add(element)
        batch.taken.append(element)
        self.last_news = time.monotonic()
        self._tell(Condemned(batch=batch.record.name, element=element, verdict=verdict))

    def _seek(self, batch: Open) -> None:
        """An engine died about the time it submitted: whether it did is found out."""
        job = self._submitted(batch.record.name, {}, only_find=True)
        batch.sought = False
        if job:
            self._put_stage(batch, Stage.SUBMITTED, job=job)
            return
        self._tell(Refused(batch=batch.record.name, error=NEVER))
        self._settle(batch)

    def _tail(self, record: BatchRecord, element: int) -> str:
        """The end of what a job's script has printed itself."""
        argv = ("tail", "-c", "2000", f"{self._folder(record.name)}/out/{element}")
        said = self._depot.run(argv)
        return said.stdout.decode(errors="replace") if said.code == 0 else ""

    # --- ending

    def withdraw(self) -> None:
        """Begins nothing more: what was not submitted or waits in the queue comes back, what runs may end."""
        for batch in [batch for batch in self._open.values() if batch.send is not None]:
            self._tell(Refused(batch=batch.record.name, error=NEVER))
            self._settle(batch)
        watched = self._watched()
        if not watched:
            return
        self._depot.run(("touch", *(f"{self._folder(batch.record.name)}/stop" for batch in watched)))
        parts: list[str | Part] = [
            Part(job=batch.record.job, elements=tuple(sorted(batch.queued))) for batch in watched if batch.queued
        ]
        if parts:
            command = self._system.cancel(parts)
            command.parse(self._depot.run(command.argv, timeout_s=QUEUE_S))
        for batch in watched:
            batch.withdrawn |= batch.queued

    def cancel(self, elements: Mapping[str, Sequence[int]]) -> None:
        """Ends elements of submissions."""
        ids: list[str | Part] = []
        for name, wanted in elements.items():
            batch = self._open.get(name)
            if batch is None or not batch.record.job:
                continue
            rest = set(range(len(batch.record.elements))) - batch.ended
            whole = rest <= set(wanted)
            ids.append(batch.record.job if whole else Part(job=batch.record.job, elements=tuple(wanted)))
        if ids:
            command = self._system.cancel(ids)
            command.parse(self._depot.run(command.argv, timeout_s=QUEUE_S))
        for name, wanted in elements.items():
            batch = self._open.get(name)
            if batch is not None:
                batch.ended.update(wanted)
                if len(batch.ended) == len(batch.record.elements):
                    self._settle(batch)
        if elements:
            self._tell(Cancelled(elements=elements))


def _is_due(batch: Open) -> bool:
    return batch.sought or (batch.send is not None and batch.not_before <= time.monotonic())


def _said(answer: QueueAnswer) -> Output:
    return Output(code=answer.code, stdout=answer.stdout.encode(), stderr=answer.stderr.encode())
