"""How elements end: in order, or without a word, which is when the batch system is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from sciflow.executors.batch.doubts import SIGNAL, Doubt, gone
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.mirror import BatchNews, ClosingFacts, Garbled, Mirror
from sciflow.executors.batch.missing import Accounts, Missing
from sciflow.executors.batch.news import Closed, Condemned, News
from sciflow.executors.batch.opened import Open
from sciflow.executors.batch.verdict import Verdict, of_exit, of_line, of_state
from sciflow.executors.systems.system import JobState, State

SAID_S = 120.0
Place: TypeAlias = tuple[Open, int]  # a submission and one of its elements
Silent: TypeAlias = tuple[Open, int, JobState, float]  # and what the queue says of its end; for how long it is missing


class LastWords(msgspec.Struct, frozen=True):
    """The host's answer: the end of what scripts have printed, by element, for each submission that was asked for."""

    said: tuple[dict[str, str], ...]


class Aftermath:
    """The ends of the elements of one ward."""

    def __init__(self, handover: Handover, mirror: Mirror, tell: Callable[[News], None], *, marks_s: float) -> None:
        """`marks_s`: see `Ward`."""
        self._handover = handover
        self._mirror = mirror
        self._missing = Missing(late_s=marks_s)
        self._left: list[Place] = []  # ended by a signal, and not in the queue any more
        self._silent: list[Silent] = []
        self._tell = tell
        self.last_news = time.monotonic()

    def close(self, batch: Open, element: int, facts: ClosingFacts) -> None:
        """An element has come to its end by itself."""
        self._mirror.place(batch.record.name, element).closed = True
        if element in batch.withdrawn:  # ended on order, whatever it says of that itself
            self.end(batch, element)
            return
        if facts.why == "time" and facts.cut is not None and len(facts.left) == len(batch.record.elements[element]):
            # it had all the time of its job: another one would not be enough either
            over = JobState(job=batch.record.job, state=State.TIME_LIMIT)
            self.condemn(batch, element, of_state(over, batch.record, tail=""))
            return
        if facts.why == "signal" and facts.left:
            batch.doubts[element] = Doubt.of(facts, len(batch.record.elements[element]))
            batch.taken.append(element)
            return
        self.end(batch, element)

    def damage(self, batch: Open, element: int, garbled: Garbled) -> None:
        """What an element has written cannot be read: which task that is of is known when it has ended."""
        file = f"{self._handover.depot.transport.name}: {self._handover.folder(batch.record.name)}/taken/{element}"
        batch.damaged.setdefault(element, of_line(garbled, file))

    def end(self, batch: Open, element: int) -> None:
        """An element has ended in order, or hands back what it did not get to."""
        if element in batch.damaged:
            self.condemn(batch, element, batch.damaged[element])
            return
        batch.doubts.pop(element, None)
        batch.ended.add(element)
        batch.taken.append(element)
        self._tell(Closed(batch=batch.record.name, element=element))

    def condemn(self, batch: Open, element: int, verdict: Verdict) -> None:
        """An element has ended, and what ran in it comes to an error."""
        batch.doubts.pop(element, None)
        batch.ended.add(element)
        batch.taken.append(element)
        self.last_news = time.monotonic()
        verdict = batch.damaged.get(element, verdict)
        self._tell(Condemned(batch=batch.record.name, element=element, verdict=verdict))

    def look(self, batch: Open, news: BatchNews, states: Sequence[JobState] | None) -> None:
        """Finds the elements that have ended without a word, for `conclude`.

        `states`: what the batch system says, if it does.
        """
        record = batch.record
        for element, code in news.died.items():
            if int(element) not in batch.ended | batch.doubts.keys():
                began = self._mirror.place(record.name, int(element)).replies > 0
                verdict = of_exit(code, began=began, tail=news.said.get(element, ""))
                if int(element) in batch.withdrawn:  # its script may have had nothing to run any more
                    self.end(batch, int(element))
                elif code > SIGNAL:
                    batch.doubts[int(element)] = Doubt(verdict=verdict)
                else:
                    self.condemn(batch, int(element), verdict)
        if states is not None:
            self._forgo(batch, news, states)
            self._left += [(batch, element) for element in gone(batch.doubts, states, record.job)]
            self._silent += [(batch, *waited) for waited in self._missing.look(record, batch.unheard, states)]

    def conclude(self) -> None:
        """Says what became of all that was found: in two calls, however many elements of however many submissions."""
        left, self._left = self._left, []
        silent, self._silent = self._silent, []
        if not left and not silent:
            return
        handover = self._handover
        jobs = {batch.record.job for batch in (*(place[0] for place in left), *(one[0] for one in silent))}
        accounts = Accounts.ask(handover.depot, handover.system, jobs)
        dead = [*self._resolved(left, accounts), *self._given_up(silent, accounts)]
        tails = self._tails([(batch, element) for batch, element, _ in dead])
        for (batch, element, state), tail in zip(dead, tails, strict=True):
            self.condemn(batch, element, of_state(state, batch.record, tail=tail))

    def _resolved(self, left: Iterable[Place], accounts: Accounts) -> Iterator[tuple[Open, int, JobState]]:
        """Ends what a signal has ended; those are left of which the batch system says more."""
        for batch, element in left:
            if element in batch.withdrawn:  # queued again, and taken back there
                self.end(batch, element)
                continue
            doubt, cause = batch.doubts[element], accounts.of(batch.record.job, element)
            if not doubt.decided(cause):
                continue
            if named := doubt.outweighed(cause):
                yield batch, element, named
            elif doubt.verdict is not None:
                self.condemn(batch, element, doubt.verdict)
            else:
                self.end(batch, element)

    def _given_up(self, silent: Iterable[Silent], accounts: Accounts) -> Iterator[tuple[Open, int, JobState]]:
        """Those that are missing, with what is known of their end: the accounting knows more than the queue."""
        for batch, element, listed, seconds in silent:
            state = accounts.of(batch.record.job, element) or listed
            if not self._missing.is_over(batch.record.name, state, seconds):
                continue
            if element in batch.withdrawn:  # it had begun just then
                self.end(batch, element)
            else:
                yield batch, element, state

    def _tails(self, dead: Sequence[Place]) -> Sequence[str]:
        """The ends of what the scripts of elements have printed themselves."""
        if not dead:
            return []
        wanted: dict[str, list[int]] = {}
        workers = {self._handover.folder(batch.record.name): batch.record.workers for batch, _ in dead}
        for batch, element in dead:
            wanted.setdefault(self._handover.folder(batch.record.name), []).append(element)
        request = {
            "batches": [
                {"dir": folder, "elements": elements, "workers": workers[folder]} for folder, elements in wanted.items()
            ]
        }
        answer = self._handover.depot.ask("said", request, LastWords, timeout_s=SAID_S)
        said = dict(zip(wanted, answer.said, strict=False))
        return [said.get(self._handover.folder(batch.record.name), {}).get(str(element), "") for batch, element in dead]

    def _forgo(self, batch: Open, news: BatchNews, states: Sequence[JobState]) -> None:
        """What was withdrawn and is gone from the queue will not come."""
        own = [state for state in states if state.job == batch.record.job and not state.state.ended]
        everything = range(len(batch.record.elements))
        listed = set(everything) if any(s.element is None for s in own) else {s.element for s in own}
        for element in sorted(batch.withdrawn - listed - batch.ended):
            if str(element) not in news.elements:  # it had not begun
                batch.ended.add(element)
                self._tell(Closed(batch=batch.record.name, element=element))

    def waits(self) -> str:
        """What is waited for, in a line."""
        return self._missing.told()

    def forget(self, name: str) -> None:
        """Nothing more will come of a submission."""
        self._missing.forget(name)
