"""What a run would do: the scheduler is let go as far as it comes without running anything.

What is cached flows on to what needs it, so a plan tells all that can be told before a run. Nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Graph, Node, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.progress import Plan, PlannedStep
from sciflow.core.records import Phase
from sciflow.core.trees import with_inner, with_parts
from sciflow.engine.activation import ENDED, NodeRun, StepCount
from sciflow.engine.constants import map_constants
from sciflow.engine.graph_index import index_graph
from sciflow.engine.journal import Ending
from sciflow.engine.limits import Limits
from sciflow.engine.probe import Probe
from sciflow.engine.scheduler import Scheduler
from sciflow.engine.values import StoredValues
from sciflow.runner.hashing import file_hash, folder_hash

NOT_CACHED = "it does not use the cache"


class _Memory:
    """A journal of a run that is not written down; also keeps what is ready, for the plan."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeRun] = {}
        self._numbers: dict[str, int] = {}
        self._outputs: dict[int, dict[int, bytes | None]] = {}

    def number(self, path: str, template: str) -> int:  # noqa: ARG002  the protocol's
        return self._numbers.setdefault(path, len(self._numbers) + 1)

    def node(self, run: NodeRun) -> None:
        self.nodes[run.path] = run

    def task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:  # noqa: ARG002
        self._outputs.setdefault(run.number, {})[slice_] = ending.output

    def attempt(self, run: NodeRun, slice_: int, attempt: int, ending: Ending) -> None:
        """Nothing runs, so nothing is tried."""

    def ended(self, number: int) -> Sequence[tuple[int, Phase, bool, bool]]:  # noqa: ARG002
        return ()

    def attempts(self, number: int) -> Sequence[tuple[int, int, int]]:  # noqa: ARG002
        return ()

    def output(self, number: int, slice_: int) -> bytes | None:
        return self._outputs[number][slice_]

    def outputs(self, number: int) -> list[tuple[int, bytes | None]]:
        """(slice, text) of what is known of a node, in order."""
        return sorted(self._outputs.get(number, {}).items())


class HashingIntake:
    """Names files by their content, as an intake does, and leaves them where they are."""

    def text(self, tree: Tree) -> bytes:
        """The text of the tree."""
        return msgspec.json.encode(with_parts(tree, _named))

    def take_ahead(self, tree: Tree) -> None:
        """Nothing is moved."""


def _named(part: dict[str, Any]) -> Tree:
    match part:
        case {"$": "artifact", "path": str() as path} if "sha256" not in part:
            kind = "folder" if Path(path).is_dir() else "file"
            sha256, size = folder_hash(path) if kind == "folder" else file_hash(path)
            return {"$": "artifact", "path": path, "kind": kind, "sha256": sha256, "size": size}
        case _:
            return with_inner(part, _named)


def warn(text: str) -> None:
    """Tells what a question cannot take into account."""
    sys.stderr.write(f"sciflow: {text}\n")


def make_plan(
    spec: WorkflowSpec, args: Mapping[str, Tree], *, name: str, runs: Path, reuse: Mapping[str, Tree], executor: str
) -> Plan:
    """What a run of the workflow with these arguments would do."""
    memory, intake = _Memory(), HashingIntake()
    spec = map_constants(spec, lambda tree: msgspec.json.decode(intake.text(tree)))
    values = StoredValues(Path("/"), pack="", inline_bytes=1 << 62, outputs=memory.outputs)
    scheduler = Scheduler(spec, journal=memory, values=values, limits=Limits(), executors=(executor,))
    probe = Probe(runs=runs, root=Path("/"), reuse=reuse, intake=intake, warn=warn, write=False)
    reasons: dict[str, str] = {}
    try:
        scheduler.start({port: intake.text(tree) for port, tree in args.items()})
        while scheduler.probes:
            run = scheduler.probes.popleft()
            template = spec.templates[run.node.template]
            assert isinstance(template, OpTemplate)
            need = scheduler.need(run)
            probe.settle(scheduler, run, template, need)
            missed = _first_missed(run)
            if missed is not None and run.node.policy.cache:
                reasons.setdefault(run.step.path, "; ".join(probe.why(run, template, need, missed)))
    finally:
        probe.close()
    return Plan(name=name, steps=tuple(_Teller(scheduler, memory, reasons).steps(spec.entry, "")))


def _first_missed(run: NodeRun) -> int | None:
    assert run.tasks is not None
    slices = [SINGLE] if run.tasks.single else range(run.tasks.total)
    return next((i for i in slices if run.tasks.state[i] != ENDED), None)


class _Teller(msgspec.Struct):
    """Turns what the scheduler came to into the steps of a plan."""

    scheduler: Scheduler
    memory: _Memory
    reasons: dict[str, str]

    def steps(self, template: str, prefix: str) -> Iterator[PlannedStep]:
        """The steps of a graph and, below each, those of the graph that it runs."""
        graph = self.scheduler.spec.templates[template]
        assert isinstance(graph, Graph)
        index = index_graph(graph)
        for position, node in enumerate(graph.nodes):
            path = prefix + node.id
            yield self._step(path, node, [graph.nodes[i].id for i in index.needs[position]])
            inner = self.scheduler.spec.templates[node.template]
            if isinstance(inner, Graph) and node.template != template:
                yield from self.steps(node.template, f"{path}/")

    def _step(self, path: str, node: Node, needs: Sequence[str]) -> PlannedStep:
        count = self.scheduler.steps.get(path)
        if count is None or not (count.total or count.skipped or path in self.memory.nodes):
            reason = f"waits for {', '.join(needs)}" if needs else "not known before the run comes there"
            return PlannedStep(path=path, template=node.template, reason=reason)
        cached = count.cached if node.policy.cache else None
        reason = self._reason(path, node, count)
        return PlannedStep(path=path, template=node.template, slices=count.total, cached=cached, reason=reason)

    def _reason(self, path: str, node: Node, count: StepCount) -> str:
        """Why the step would run."""
        if count.skipped:
            return "its condition is false"
        if count.cached == count.total:
            return ""
        match self.scheduler.spec.templates[node.template]:
            case Graph():
                return ""
            case Suspend(message=message):
                return f"waits for an answer: {message}".removesuffix(": ")
            case OpTemplate():
                return self.reasons.get(path, "" if node.policy.cache else NOT_CACHED)
