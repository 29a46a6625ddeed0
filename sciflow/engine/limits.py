"""Limits on how many jobs are in flight: of the run, a graph, a fan, a named lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator

import msgspec

from sciflow.engine.activation import Activation, NodeRun

RUN = "run"


class Limits(msgspec.Struct, eq=False):
    """Counts jobs in flight against every limit that applies to them. `locks` are the settings' own limits."""

    parallelism: int | None = None
    locks: dict[str, int] = msgspec.field(default_factory=dict)
    _held: Counter[str] = msgspec.field(default_factory=Counter)
    _jobs: int = 0

    def blocker(self, run: NodeRun, *, throttled: bool = False) -> Hashable | None:
        """The limit that keeps the node's next job back, if any; `throttled`: that of a fan does not."""
        own = ("fan", run.number)
        reached = (limit for limit, used, most in self._of(run) if most is not None and used >= most)
        return next((limit for limit in reached if not (throttled and limit == own)), None)

    def enter(self, run: NodeRun) -> None:
        """A job of the node was handed out."""
        self._count(run, 1)

    def leave(self, run: NodeRun) -> list[Hashable]:
        """A job of the node has ended; the limits that it counted against."""
        self._count(run, -1)
        return [limit for limit, _, most in self._of(run) if most is not None]

    def _of(self, run: NodeRun) -> Iterator[tuple[Hashable, int, int | None]]:
        yield RUN, self._jobs, self.parallelism
        fan = run.node.fan
        if fan is not None and fan.parallelism is not None and run.tasks is not None:
            yield ("fan", run.number), run.tasks.jobs, fan.parallelism
        for name, most in run.node.policy.locks.items():
            yield ("lock", name), self._held[name], min(most, self.locks.get(name, most))
        home: Activation | None = run.home
        while home is not None:
            if home.index.graph.parallelism is not None:
                yield ("graph", home.prefix), home.jobs, home.index.graph.parallelism
            home = home.parent.home if home.parent is not None else None

    def _count(self, run: NodeRun, step: int) -> None:
        self._jobs += step
        if run.tasks is not None:
            run.tasks.jobs += step
        for name in run.node.policy.locks:
            self._held[name] += step
        home: Activation | None = run.home
        while home is not None:
            home.jobs += step
            home = home.parent.home if home.parent is not None else None
