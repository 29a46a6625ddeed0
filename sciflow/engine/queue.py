"""Nodes with tasks to hand out, by what they need and by priority; those held up by a limit wait aside."""

from __future__ import annotations

import heapq
from collections.abc import Hashable

import msgspec

from sciflow.core.job import Need
from sciflow.engine.activation import NodeRun


class ReadyQueue(msgspec.Struct, eq=False):
    """Nodes in the order in which their tasks are to run: higher priority first, then the older."""

    _heaps: dict[Need, list[tuple[int, int, int, NodeRun]]] = msgspec.field(default_factory=dict)
    _parked: dict[Hashable, list[tuple[Need, NodeRun]]] = msgspec.field(default_factory=dict)
    _serial: int = 0  # of the next entry: nodes are not compared

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def needs(self) -> list[Need]:
        """The needs for which something is ready, in the order of their first nodes."""
        return sorted((need for need, heap in self._heaps.items() if heap), key=lambda need: self._heaps[need][0][:2])

    def push(self, need: Need, run: NodeRun) -> None:
        """Adds a node."""
        self._serial += 1
        entry = (-run.node.policy.priority, run.number, self._serial, run)
        heapq.heappush(self._heaps.setdefault(need, []), entry)

    def first(self, need: Need) -> NodeRun | None:
        """The node whose tasks come next."""
        heap = self._heaps.get(need)
        return heap[0][3] if heap else None

    def pop(self, need: Need) -> NodeRun:
        """Takes the first node out."""
        return heapq.heappop(self._heaps[need])[3]

    def park(self, need: Need, limit: Hashable) -> None:
        """Sets the first node aside until `release(limit)`."""
        self._parked.setdefault(limit, []).append((need, self.pop(need)))

    def release(self, limit: Hashable) -> None:
        """Brings back what waited for a limit."""
        for need, run in self._parked.pop(limit, ()):
            self.push(need, run)
