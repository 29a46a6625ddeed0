"""Further attempts of tasks: whether there is one, and when."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from sciflow.core.graph import Policy
from sciflow.core.records import Phase, TaskError
from sciflow.engine.activation import NodeRun
from sciflow.engine.journal import Ending
from sciflow.runner.retrying import backoff_s, may_retry


class Retries(msgspec.Struct, eq=False):
    """Tasks that wait out their back-off."""

    _heap: list[tuple[float, int, int, NodeRun]] = msgspec.field(default_factory=list)  # due, order, slice
    _serial: int = 0  # of the next entry: nodes are not compared

    def __len__(self) -> int:
        return len(self._heap)

    def plan(self, run: NodeRun, slice_: int, attempt: int, ending: Ending, now: float) -> bool:
        """Plans another attempt after one that has ended so, if there is to be one or is known to be one."""
        error = ending.extra.error if ending.extra is not None else None
        if error is None or ending.phase is Phase.SUCCEEDED:
            return False
        assert run.tasks is not None
        wait_s = 0.0
        if not ending.followed:
            policy, tries = run.node.policy, attempt - run.tasks.spent.get(slice_, 0)
            if not _may_retry(error, policy, tries):
                return False
            wait_s = _backoff_s(policy, tries)
        run.tasks.attempts[slice_] = attempt + 1
        self._serial += 1
        heapq.heappush(self._heap, (now + wait_s, self._serial, slice_, run))
        return True

    def due(self, now: float) -> Iterator[tuple[NodeRun, int]]:
        """The nodes and slices that have waited long enough; they are taken out."""
        while self._heap and self._heap[0][0] <= now:
            _, _, slice_, run = heapq.heappop(self._heap)
            yield run, slice_

    def next_due(self) -> float | None:
        """When there is something to take out."""
        return self._heap[0][0] if self._heap else None


def _may_retry(error: TaskError, policy: Policy, attempt: int) -> bool:
    """Whether an attempt that failed so is followed by another."""
    return may_retry(
        kind=error.kind,
        classes=(error.type, *error.bases),
        fatal=error.fatal,
        transient=error.transient,
        attempt=attempt,
        retries=policy.retries,
        on=policy.retry_on,
    )


def _backoff_s(policy: Policy, attempt: int) -> float:
    """How long to wait after an attempt that failed."""
    return backoff_s(attempt, first_s=policy.backoff_s, factor=policy.backoff_factor, most_s=policy.backoff_max_s)
