"""Takes submissions back: out of the queue, or to their end.

What is taken back is written down before it is. Whoever collects the submission then knows that these elements have
ended on order: what they have done counts, and what they have not is to be run again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.mirror import Mirror
from sciflow.executors.batch.opened import Open
from sciflow.executors.batch.record import Stage, write_record
from sciflow.executors.systems import answers
from sciflow.executors.systems.system import JobState, Part, State

QUEUE_S = 30.0  # for the batch system's own commands
WAITING = frozenset({State.QUEUED, State.HELD})
_STOP = 'for folder; do touch "$folder/stop" || [ ! -d "$folder" ] || exit; done'  # one that is gone begins nothing


class Recall:
    """Speaks with the batch system of one ward about what it is not to run."""

    def __init__(self, handover: Handover, mirror: Mirror, *, here: Path) -> None:
        """`here` is the run folder."""
        self._handover = handover
        self._mirror = mirror
        self._here = here
        self._over: set[str] = set()  # jobs of which all elements have ended

    def settled(self, batch: Open) -> None:
        """Nothing more will come of a submission."""
        self._over.add(batch.record.job)

    def stop(self, batches: Sequence[Open]) -> None:
        """Has submissions begin nothing more: what waits is taken out of the queue, what runs may end.

        What starts from now on reads `stop` and hands all back. So the queue is asked after that, and not before: what
        it then says to wait has begun nothing, and may be cancelled.
        """
        if not batches:
            return
        depot, handover = self._handover.depot, self._handover
        marks = depot.run(("sh", "-c", _STOP, "sh", *(handover.folder(batch.record.name) for batch in batches)))
        answers.need(marks, "touch")
        for batch in batches:
            batch.stopped = True
        command = handover.system.queue()
        self.take_back(batches, command.parse(depot.run(command.argv, timeout_s=QUEUE_S)))

    def take_back(self, batches: Collection[Open], states: Sequence[JobState]) -> None:
        """Takes out of the queue what is not to begin: what waits of stopped submissions, and what has ended.

        Either may be queued again, by the batch system or an operator, and even be held. What had ended by the look
        before this one has been done, or is done by others.
        """
        waiting: dict[str, list[JobState]] = {}
        for state in states:
            if state.state in WAITING:
                waiting.setdefault(state.job, []).append(state)
        parts: list[str | Part] = [job for job in waiting if job in self._over]
        for batch in batches:
            own = waiting.get(batch.record.job, [])
            if batch.stopped and (wanted := sorted(self._waiting(batch, own))):
                self._note(batch, wanted)
                parts.append(_part(batch, wanted))
            if again := sorted(_ended(batch, own)):
                parts.append(Part(job=batch.record.job, elements=again))
        self._cancel(parts)

    def _waiting(self, batch: Open, own: Sequence[JobState]) -> set[int]:
        """The elements that wait in the queue; one that is held may have begun, and be halted on its node.

        As long as the host has not told which have begun, none that is held is taken back: `stop` keeps it from more.
        """
        everything, found = range(len(batch.record.elements)), set[int]()
        for state in own:
            some = everything if state.element is None else (state.element,)
            found.update(k for k in some if state.state is State.QUEUED or not self._has_begun(batch, k))
        return found - batch.ended

    def _has_begun(self, batch: Open, element: int) -> bool:
        return batch.from_start or self._mirror.place(batch.record.name, element).seen

    def end(self, batches: Sequence[tuple[Open, Sequence[int]]]) -> None:
        """Ends elements of submissions, wherever they are."""
        ids: list[str | Part] = []
        for batch, elements in batches:
            self._note(batch, elements)
            if batch.record.stage is Stage.SUBMITTED and batch.record.job:
                rest = set(range(len(batch.record.elements))) - batch.ended
                whole = rest <= set(elements)
                ids.append(batch.record.job if whole else _part(batch, elements))
        self._cancel(ids)

    def _note(self, batch: Open, elements: Collection[int]) -> None:
        """Writes down what is taken back, before it is: the engine may end before it hears of it."""
        if not batch.withdrawn.issuperset(elements):
            withdrawn = batch.withdrawn.union(elements)
            record = msgspec.structs.replace(batch.record, withdrawn=tuple(sorted(withdrawn)))
            write_record(self._here, record)
            batch.withdrawn, batch.record = withdrawn, record

    def _cancel(self, ids: Sequence[str | Part]) -> None:
        if ids:
            command = self._handover.system.cancel(ids)
            command.parse(self._handover.depot.run(command.argv, timeout_s=QUEUE_S))


def _ended(batch: Open, own: Sequence[JobState]) -> set[int]:
    """The elements that have ended, of those that wait in the queue; of crews all must have."""
    listed = {state.element for state in own if state.element is not None}
    return {k for k in listed if batch.ended.issuperset(batch.record.crew(k))}


def _part(batch: Open, elements: Iterable[int]) -> Part:
    """Elements of a submission; with those that have ended of the same crews, whose job may be queued again."""
    crews = (batch.record.crew(element) for element in elements)
    ended = {mate for crew in crews for mate in crew if mate in batch.ended}
    return Part(job=batch.record.job, elements=tuple(sorted(ended.union(elements))))
