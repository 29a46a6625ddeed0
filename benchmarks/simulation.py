"""The scheduler alone: cores, durations, failures and the clock are simulated, nothing is run or written down."""

from __future__ import annotations

import heapq
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks import ops
from sciflow.core.graph import WorkflowSpec
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine.activation import NodeRun
from sciflow.engine.journal import Ending
from sciflow.engine.limits import Limits
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.values import StoredValues

CORES = 10_000
FAILING = 0.01
MEAN_S = 600.0  # simulated time of a slice

LOST = Ending(Phase.ERROR, extra=Extra(error=TaskError(kind="place", message="the node went away")))


class Memory:
    """A journal that keeps outputs and nothing else; see `sciflow.engine.journal.Journal`."""

    def __init__(self) -> None:
        self.tried = 0
        self._numbers: dict[str, int] = {}
        self._outputs: dict[int, list[tuple[int, bytes | None]]] = {}

    def number(self, path: str, template: str) -> int:  # noqa: ARG002
        return self._numbers.setdefault(path, len(self._numbers) + 1)

    def node(self, run: NodeRun) -> None:
        """Nothing is written down."""

    def task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:  # noqa: ARG002
        self._outputs.setdefault(run.number, []).append((slice_, ending.output))

    def attempt(self, run: NodeRun, slice_: int, attempt: int, ending: Ending) -> None:  # noqa: ARG002
        self.tried += 1

    def ended(self, number: int) -> tuple[()]:  # noqa: ARG002
        return ()

    def attempts(self, number: int) -> tuple[()]:  # noqa: ARG002
        return ()

    def output(self, number: int, slice_: int) -> bytes | None:
        return dict(self._outputs[number])[slice_]

    def outputs(self, number: int) -> list[tuple[int, bytes | None]]:
        """(slice, text) of a node's outputs."""
        return self._outputs.get(number, [])


@dataclass(slots=True)
class Machine:
    """Simulated cores, each of which runs one slice at a time."""

    free: int = CORES
    now: float = 0.0
    _chance: random.Random = field(default_factory=lambda: random.Random(1))
    _busy: list[tuple[float, int]] = field(default_factory=list)  # end, job

    def begin(self, job: int) -> None:
        """Puts a job on a core."""
        self.free -= 1
        heapq.heappush(self._busy, (self.now + self._chance.expovariate(1 / MEAN_S), job))

    def next_end(self) -> float:
        """When the next job ends."""
        return self._busy[0][0] if self._busy else float("inf")

    def end(self) -> tuple[int, bool]:
        """The job that ends next, and whether its core failed; the clock moves there."""
        self.now, job = heapq.heappop(self._busy)
        self.free += 1
        return job, self._chance.random() < FAILING


def run(size: int, folder: Path) -> dict[str, float]:  # noqa: ARG001
    """Simulates a map and gather of so many slices; CPU seconds, those of the simulated machine alone, and attempts."""
    spec = ops.retried_map.spec()
    inputs = {"xs": msgspec.json.encode(list(range(size)))}
    started = time.process_time()
    tried = _simulate(spec, inputs)
    cpu_s = time.process_time() - started
    return {"cpu_us": cpu_s / size * 1e6, "machine_us": _machine_alone(size) / size * 1e6, "tried_again": tried}


def _simulate(spec: WorkflowSpec, inputs: dict[str, bytes]) -> int:
    memory, machine = Memory(), Machine()
    values = StoredValues(Path("/"), pack="", inline_bytes=1 << 62, outputs=memory.outputs)
    scheduler = Scheduler(spec, journal=memory, values=values, limits=Limits())
    scheduler.start(inputs)
    while scheduler.outcome is None:
        _hand_out(scheduler, machine)
        wake = scheduler.next_wake()
        if wake is not None and wake <= machine.next_end():
            machine.now = max(machine.now, wake)
            scheduler.wake(machine.now)
            continue
        job, failed = machine.end()
        scheduler.finish(job, 0, LOST if failed else Ending(Phase.SUCCEEDED, b"1"), machine.now)
    assert scheduler.outcome.phase is Phase.SUCCEEDED
    return memory.tried


def _hand_out(scheduler: Scheduler, machine: Machine) -> None:
    for need in scheduler.needs():
        while machine.free and scheduler.next_template(need) is not None:
            job = scheduler.take(need, 1)
            if job is not None:
                machine.begin(job.id)


def _machine_alone(size: int) -> float:
    """CPU seconds of the simulated machine, with nothing to decide."""
    started = time.process_time()
    machine = Machine()
    for job in range(size):
        if not machine.free:
            machine.end()
        machine.begin(job)
    return time.process_time() - started
