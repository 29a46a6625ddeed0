"""The state of a run in memory: graphs at work, their nodes, and the tasks of each node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sciflow.core.graph import Node
from sciflow.core.job import SINGLE
from sciflow.core.records import Phase, TaskError
from sciflow.engine.graph_index import GraphIndex

WAITING, ENDED = 0, 1  # of one slice


class StepCount(msgspec.Struct, eq=False):
    """What a step (all nodes of one path but for the slices' numbers) has come to."""

    path: str
    total: int = 0
    counted: bool = False  # the tasks of at least one node are in `total`, be they none
    done: int = 0
    running: int = 0
    cached: int = 0
    failed: int = 0
    skipped: int = 0
    omitted: int = 0
    suspended: int = 0
    flagged: int = 0
    earlier: int = 0  # ended in an earlier session, and not taken from the cache
    started: float = 0.0
    ended: float = 0.0

    def hear(self, ahead_s: float, started: float, seconds: float) -> None:
        """A task has run from then on for so long; `ahead_s`: what the monotonic clock shows more than the epoch's."""
        if started:
            begun = started + ahead_s
            self.started, self.ended = min(self.started or begun, begun), max(self.ended, begun + seconds)


class TaskSet(msgspec.Struct, eq=False):
    """The tasks of one node: one, or a fan's slices. The lists hold JSON texts, an element each."""

    total: int
    single: bool = True
    columns: tuple[str, ...] = ()
    lists: Sequence[Sequence[bytes]] = ()
    strides: Sequence[int] = ()  # of a product; empty for a zip
    state: bytearray = msgspec.field(default_factory=bytearray)
    cursor: int = 0  # slices before it were handed out at least once
    again: list[int] = msgspec.field(default_factory=list)
    attempts: dict[int, int] = msgspec.field(default_factory=dict)  # next attempt of slices that were tried before
    spent: dict[int, int] = msgspec.field(default_factory=dict)  # attempts before the last retry of the run
    ended: int = 0
    succeeded: int = 0
    known: bool = False  # some slices ended in an earlier session
    jobs: int = 0  # in flight; of a sub-workflow its open slices

    def __post_init__(self) -> None:
        self.state = bytearray(self.total)

    @property
    def left(self) -> int:
        """How many slices wait to be handed out."""
        return self.total - self.cursor + len(self.again)

    def pick(self, most: int) -> Sequence[int]:
        """The next slices to hand out, fewer than `most` only at the end or before slices that ended earlier."""
        if self.again:
            taken, self.again = self.again[:most], self.again[most:]
            return taken
        if self.known:
            self._skip_ended()
        start = self.cursor
        stop = min(self.total, start + most)
        if self.known:
            stop = next((i for i in range(start, stop) if self.state[i] == ENDED), stop)
        self.cursor = stop
        return (SINGLE,) if self.single and stop > start else range(start, stop)

    def _skip_ended(self) -> None:
        found = self.state.find(WAITING, self.cursor)
        self.cursor = self.total if found < 0 else found

    def elements(self, slice_: int) -> Sequence[bytes]:
        """The texts that a slice takes from the lists."""
        if not self.strides:
            return [texts[slice_] for texts in self.lists]
        return [texts[slice_ // s % len(texts)] for texts, s in zip(self.lists, self.strides, strict=True)]

    def end(self, slice_: int, *, succeeded: bool) -> bool:
        """Marks a slice as ended; False if it was already."""
        if self.state[slice_] == ENDED:
            return False
        self.state[slice_] = ENDED
        self.ended += 1
        self.succeeded += succeeded
        return True


class NodeRun(msgspec.Struct, eq=False):
    """A node in a run."""

    number: int
    path: str
    node: Node
    position: int
    home: Activation
    waiting: int  # nodes it needs that have not ended
    step: StepCount
    phase: Phase = Phase.PENDING
    tasks: TaskSet | None = None
    fixed: bytes = b"{}"
    seed: int = 0
    input_seed: Callable[[Sequence[bytes]], int] | None = None  # a task's seed by its inputs, where outcomes are cached
    output: bytes | None = None
    error: TaskError | None = None
    because: str = ""  # path of the task or node whose failure stopped this one


class Activation(msgspec.Struct, eq=False):
    """A graph at work: the root, a sub-workflow, or one slice of a fan over a sub-workflow."""

    index: GraphIndex
    prefix: str  # of its nodes' paths: "" or "relax/3/"
    inputs: dict[str, bytes]
    parent: NodeRun | None
    slice: int = SINGLE
    nodes: list[NodeRun] = msgspec.field(default_factory=list)
    open: int = 0  # nodes that have not ended
    jobs: int = 0  # in flight, below it too

    @property
    def above(self) -> Sequence[int]:
        """How many slices those fans have of which it, or a graph around it, is a slice."""
        found, home = [], self
        while home.parent is not None:
            tasks = home.parent.tasks
            if tasks is not None and not tasks.single:
                found.append(tasks.total)
            home = home.parent.home
        return found


def step_path(path: str) -> str:
    """A node's path without slice numbers: "relax/3/energy" -> "relax/energy"."""
    return "/".join(part for part in path.split("/") if not part.isdigit())
