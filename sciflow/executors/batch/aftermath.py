"""How elements end: in order, or without a word, which is when the batch system is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sciflow.executors.batch.doubts import SIGNAL, Doubt, gone
from sciflow.executors.batch.handover import Handover
from sciflow.executors.batch.mirror import BatchNews, ClosingFacts, Mirror
from sciflow.executors.batch.missing import Missing
from sciflow.executors.batch.news import Closed, Condemned, News
from sciflow.executors.batch.opened import Open
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.verdict import Verdict, of_exit, of_state
from sciflow.executors.systems.system import JobState, State


class Aftermath:
    """The ends of the elements of one ward."""

    def __init__(self, handover: Handover, mirror: Mirror, tell: Callable[[News], None]) -> None:
        self._handover = handover
        self._mirror = mirror
        self._missing = Missing()
        self._tell = tell
        self.last_news = time.monotonic()

    def close(self, batch: Open, element: int, facts: ClosingFacts) -> None:
        """An element has come to its end by itself."""
        self._mirror.place(batch.record.name, element).closed = True
        if facts.why == "time" and facts.cut is not None and len(facts.left) == len(batch.record.elements[element]):
            # it had all the time of its job: another one would not be enough either
            over = JobState(job=batch.record.job, state=State.TIME_LIMIT)
            self.condemn(batch, element, of_state(over, batch.record, tail=""))
            return
        if facts.why == "signal" and facts.left and element not in batch.withdrawn:
            batch.doubts[element] = Doubt.of(facts, len(batch.record.elements[element]))
            batch.taken.append(element)
            return
        self.end(batch, element)

    def end(self, batch: Open, element: int) -> None:
        """An element has ended in order, or hands back what it did not get to."""
        batch.ended.add(element)
        batch.taken.append(element)
        self._tell(Closed(batch=batch.record.name, element=element))

    def condemn(self, batch: Open, element: int, verdict: Verdict) -> None:
        """An element has ended, and what ran in it comes to an error."""
        batch.ended.add(element)
        batch.taken.append(element)
        self.last_news = time.monotonic()
        self._tell(Condemned(batch=batch.record.name, element=element, verdict=verdict))

    def look(self, batch: Open, news: BatchNews, states: Sequence[JobState] | None) -> None:
        """Finds the elements that have ended without a word; `states`: what the batch system says, if it does."""
        record = batch.record
        for element, code in news.died.items():
            if int(element) not in batch.ended | batch.doubts.keys():
                began = self._mirror.place(record.name, int(element)).replies > 0
                verdict = of_exit(code, began=began, tail=news.said.get(element, ""))
                if code > SIGNAL and int(element) in batch.withdrawn:
                    self.end(batch, int(element))
                elif code > SIGNAL:
                    batch.doubts[int(element)] = Doubt(verdict=verdict)
                else:
                    self.condemn(batch, int(element), verdict)
        if states is not None:
            self._forgo(batch, news, states)
            self._resolve(batch, states)
            depot, system = self._handover.depot, self._handover.system
            for k, state in self._missing.look(depot, system, record, batch.unheard, states):
                if k in batch.withdrawn:  # it had begun just then
                    self.end(batch, k)
                else:
                    self.condemn(batch, k, of_state(state, record, tail=self._tail(record, k)))

    def _resolve(self, batch: Open, states: Sequence[JobState]) -> None:
        """Says what became of elements that a signal has ended, once they have left the queue."""
        record = batch.record
        left = list(gone(batch.doubts, states, record.job))
        handover = self._handover
        known = self._missing.accounted(handover.depot, handover.system, record) if left else {}
        for element in left:
            doubt, cause = batch.doubts[element], known.get(element) or known.get(None)
            if not doubt.decided(cause):
                continue
            del batch.doubts[element]
            if named := doubt.outweighed(cause):
                self.condemn(batch, element, of_state(named, record, tail=self._tail(record, element)))
            elif doubt.verdict is not None:
                self.condemn(batch, element, doubt.verdict)
            else:
                self.end(batch, element)

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

    def forget(self, name: str) -> None:
        """Nothing more will come of a submission."""
        self._missing.forget(name)

    def _tail(self, record: BatchRecord, element: int) -> str:
        """The end of what a job's script has printed itself."""
        argv = ("tail", "-c", "2000", f"{self._handover.folder(record.name)}/out/{element}")
        said = self._handover.depot.run(argv)
        return said.stdout.decode(errors="replace") if said.code == 0 else ""
