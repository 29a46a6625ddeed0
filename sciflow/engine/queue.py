"""Nodes with tasks to hand out, by what they need and by priority; those held up by a limit wait aside."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator

import msgspec

from sciflow.core.job import Need
from sciflow.engine.activation import NodeRun


class ReadyQueue(msgspec.Struct, eq=False):
    """Nodes in the order in which their tasks are to run: higher priority first, then the older."""

    _heaps: dict[Need, list[tuple[int, int, NodeRun]]] = msgspec.field(default_factory=dict)
    _parked: dict[Hashable, list[tuple[Need, NodeRun]]] = msgspec.field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def needs(self) -> list[Need]:
        """The needs for which something is ready."""
        return [need for need, heap in self._heaps.items() if heap]

    def push(self, need: Need, run: NodeRun) -> None:
        """Adds a node."""
        entry = (-run.node.policy.priority, run.number, run)
        heapq.heappush(self._heaps.setdefault(need, []), entry)

    def first(self, need: Need) -> NodeRun | None:
        """The node whose tasks come next."""
        heap = self._heaps.get(need)
        return heap[0][2] if heap else None

    def pop(self, need: Need) -> NodeRun:
        """Takes the first node out."""
        return heapq.heappop(self._heaps[need])[2]

    def park(self, need: Need, limit: Hashable) -> None:
        """Sets the first node aside until `release(limit)`."""
        self._parked.setdefault(limit, []).append((need, self.pop(need)))

    def release(self, limit: Hashable) -> None:
        """Brings back what waited for a limit."""
        for need, run in self._parked.pop(limit, ()):
            self.push(need, run)

    def parked(self) -> Iterator[NodeRun]:
        """Every node that waits for a limit."""
        for entries in self._parked.values():
            for _, run in entries:
                yield run
