"""Looks how far a workflow is and what its pods have left, and tells what is new.

The order of a look, on which rests that nothing is lost:

1. Argo's word of the workflow is read. Only what has ended by this first word is told as ended.
2. The bucket is listed after it, and so holds all that was left by what had ended then. Ends and answers are told.
3. Where more must be known, Argo is asked once more, with all nodes. This second word is newer than the list: it serves
   to let nodes go, to say how far pods are and what they wait for. If the workflow has ended since the first, nothing
   is said of it, and the next look comes at once.
4. That all is told is told last, as `CaughtUp`.

After a workflow has ended the last that its pods have left may still be on its way: `over` is told a while later.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from sciflow.errors import HostFailed, HostRefused
from sciflow.executors.argo.follow.advance import COSTS, NodesDue
from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.gates import Gates
from sciflow.executors.argo.follow.halting import read_halted
from sciflow.executors.argo.follow.harvest import Harvest
from sciflow.executors.argo.follow.news import CaughtUp, News, Waiting
from sciflow.executors.argo.follow.sight import Sight
from sciflow.executors.argo.follow.waiting import SILENT_S, WaitingPods, Waits
from sciflow.executors.argo.server.objects import WorkflowStatus

# Of the time since the last news passes until the next look: so much later than it is an end is seen at most. A watch
# would tell it at once, but with the whole object, which may be megabytes, at each change of any of its nodes.
FASTER = 0.1
LATE_S = 30.0  # for which what pods have left may come after the end of a workflow that was cut short
SETTLED_S = 1.0
GONE = "is there no more: somebody has removed it; `sciflow retry` submits it again, and nothing twice that has ended"


class Lookout:
    """Knows what it has told of one workflow."""

    def __init__(
        self,
        followed: Followed,
        *,
        sight: Sight,
        harvest: Harvest,
        gates: Gates | None,
        patience: WaitingPods,
        least_s: float,
        most_s: float,
        tell: Callable[[News], None],
    ) -> None:
        """`gates`: None if the run waits for no answers; `least_s`, `most_s`: between two looks."""
        self._followed = followed
        self._sight = sight
        self._harvest = harvest
        self._gates = gates
        self._patience = patience
        self._least_s, self._most_s = least_s, most_s
        self._tell = tell
        self._first = True  # nobody has looked before
        self._nodes_due = NodesDue()
        self._waits = Waits()
        self._waits_due = 0.0
        self._last_news = time.monotonic()

    def look(self) -> float:
        """Tells what is new, see above; so many seconds later it is time to look again.

        Raises:
            HostFailed, HostRefused: an answer could not be handed on; all else is told.
        """
        asked = time.monotonic()
        before = self._read(nodes=self._first and self._sight.found)
        least_s = max(self._least_s, COSTS * (time.monotonic() - asked))  # the larger it is, the more Argo has to do
        fresh = self._reap(before)
        first, self._first = self._first, False
        if self._gates is not None:
            self._gates.look()
        silent = self._quiet_s() >= SILENT_S or bool(self._waits.given_up)
        asks = silent and time.monotonic() >= self._waits_due and not before.ended
        status = self._read_again(before) if asks or self._wants_nodes(before) else before
        refused = self._released(status)
        if status.ended and not before.ended:
            return 0.0
        self._sight.see(status)
        if asks or status.ended or (fresh and not silent):
            self._tell_waits(self._patience.look(status) if asks else Waits())
        self._tell_state(status, first=first)
        if refused is not None:
            raise refused
        return self._pause_s(least_s)

    def _read(self, *, nodes: bool) -> WorkflowStatus:
        """How far it is; what was not looked at is as it was."""
        status = self._followed.server.status(self._followed.name, nodes=nodes)
        if status is None:
            return WorkflowStatus(
                phase="Error", gone=True, message=f"{self._followed.server.url}: {self._followed.name} {GONE}"
            )
        return msgspec.structs.replace(status, suspended=self._sight.suspended) if status.partial else status

    def _reap(self, status: WorkflowStatus) -> bool:
        """Tells what is new in the bucket; whether anything is."""
        goes_on = self._first and self._sight.found and not status.ended
        fresh = False
        for ends in self._harvest.news(status if goes_on else None):
            self._last_news, fresh = time.monotonic(), True
            self._tell(ends)
        return fresh

    def _wants_nodes(self, status: WorkflowStatus) -> bool:
        """Whether the nodes must be known, which may be many."""
        halts = status.ended or status.suspended or self._sight.halts
        waits = self._gates is not None and self._gates.waiting
        return halts or waits or self._nodes_due.holds(status)

    def _read_again(self, status: WorkflowStatus) -> WorkflowStatus:
        asked = time.monotonic()
        status = status if status.gone else self._read(nodes=True)
        self._nodes_due.looked(status, time.monotonic() - asked)
        return status

    def _released(self, status: WorkflowStatus) -> HostFailed | HostRefused | None:
        """Hands answers on; why it could not, which keeps nothing else from being told."""
        try:
            if self._gates is not None:
                self._gates.release(status)
        except (HostFailed, HostRefused) as error:
            return error
        return None

    def _tell_waits(self, waits: Waits) -> None:
        if waits != self._waits or waits.given_up:
            self._waits = waits
            self._tell(Waiting(waits=waits))
        self._waits_due = time.monotonic() + (self._least_s if waits.given_up else SILENT_S)

    def _tell_state(self, status: WorkflowStatus, *, first: bool) -> None:
        over = self._is_over(status, first=first)
        halted = read_halted(self._followed.bucket, self._followed.layout, status)
        self._tell(CaughtUp(status=status, over=over, found=self._sight.found and not status.gone, halted=halted))

    def _is_over(self, status: WorkflowStatus, *, first: bool) -> bool:
        """Whether nothing more comes of it; `first`: nobody has looked before, and it may have ended long ago."""
        if not status.ended:
            self._sight.renew()
            return False
        ago_s = time.time() - status.finished.timestamp() if first and status.finished is not None else 0.0
        ended_s = self._sight.see_end(time.monotonic(), ago_s=max(0.0, ago_s))
        return status.gone or ended_s >= (LATE_S if status.cut_short else SETTLED_S)

    def _quiet_s(self) -> float:
        return time.monotonic() - self._last_news

    def _pause_s(self, least_s: float) -> float:
        if self._gates is not None and self._gates.awaited:
            return self._least_s
        quiet = self._quiet_s()
        late_s = SILENT_S - quiet if quiet < SILENT_S else self._most_s  # when it is asked what pods wait for
        return min(max(least_s, FASTER * quiet), self._most_s, max(late_s, least_s))
