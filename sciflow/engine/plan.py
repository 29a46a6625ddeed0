"""What a run would do: the scheduler is let go as far as it comes without running anything.

What is cached flows on to what needs it, so a plan tells all that can be told before a run. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import Graph, OpTemplate, Suspend, WorkflowSpec
from sciflow.core.job import SINGLE
from sciflow.core.progress import Plan, PlannedStep
from sciflow.core.records import Phase
from sciflow.engine.activation import ENDED, NodeRun
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

    def ended(self, number: int) -> Sequence[tuple[int, Phase, int]]:  # noqa: ARG002
        return ()

    def attempts(self, number: int) -> Sequence[tuple[int, int]]:  # noqa: ARG002
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
        return msgspec.json.encode(self._named(tree))

    def _named(self, tree: Tree) -> Tree:
        match tree:
            case {"$": "artifact", "path": str() as path} if "sha256" not in tree:
                kind = "folder" if Path(path).is_dir() else "file"
                sha256, size = folder_hash(path) if kind == "folder" else file_hash(path)
                return {"$": "artifact", "path": path, "kind": kind, "sha256": sha256, "size": size}
            case dict():
                return {name: self._named(value) for name, value in tree.items()}
            case list():
                return [self._named(value) for value in tree]
            case _:
                return tree


def make_plan(
    spec: WorkflowSpec, args: Mapping[str, Tree], *, name: str, runs: Path, reuse: Mapping[str, Tree], executor: str
) -> Plan:
    """What a run of the workflow with these arguments would do."""
    memory, intake = _Memory(), HashingIntake()
    spec = map_constants(spec, lambda tree: msgspec.json.decode(intake.text(tree)))
    values = StoredValues(Path("/"), pack="", inline_bytes=1 << 62, outputs=memory.outputs)
    scheduler = Scheduler(spec, journal=memory, values=values, limits=Limits(), executors=(executor,))
    probe = Probe(runs=runs, run="", reuse=reuse, intake=intake)
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
    return Plan(name=name, steps=tuple(_steps(spec.entry, "", scheduler, memory, reasons)))


def _first_missed(run: NodeRun) -> int | None:
    assert run.tasks is not None
    slices = [SINGLE] if run.tasks.single else range(run.tasks.total)
    return next((i for i in slices if run.tasks.state[i] != ENDED), None)


def _steps(
    template: str, prefix: str, scheduler: Scheduler, memory: _Memory, reasons: Mapping[str, str]
) -> list[PlannedStep]:
    """The steps of a graph and, below each, those of the graph that it runs."""
    spec = scheduler.spec
    graph = spec.templates[template]
    assert isinstance(graph, Graph)
    index = index_graph(graph)
    made: list[PlannedStep] = []
    for position, node in enumerate(graph.nodes):
        path = prefix + node.id
        step = scheduler.steps.get(path)
        known = step is not None and (step.total > 0 or step.skipped > 0 or _bound(memory, path))
        needs = [graph.nodes[i].id for i in index.needs[position]]
        cached = step.cached if step is not None and known and node.policy.cache else None
        reason = reasons.get(path) or _reason(spec, node.template, cache=node.policy.cache, known=known, needs=needs)
        done = step is not None and known and step.cached == step.total
        made.append(
            PlannedStep(
                path=path,
                template=node.template,
                slices=step.total if step is not None and known else None,
                cached=cached,
                reason="" if done else "its condition is false" if step and step.skipped else reason,
            )
        )
        if isinstance(spec.templates[node.template], Graph) and node.template != template:
            made += _steps(node.template, f"{path}/", scheduler, memory, reasons)
    return made


def _bound(memory: _Memory, path: str) -> bool:
    return path in memory.nodes


def _reason(spec: WorkflowSpec, template: str, *, cache: bool, known: bool, needs: Sequence[str]) -> str:
    if not known:
        return f"waits for {', '.join(needs)}" if needs else "not known before the run comes there"
    match spec.templates[template]:
        case Graph():
            return ""
        case Suspend(message=message):
            return f"waits for an answer: {message}" if message else "waits for an answer"
        case OpTemplate():
            return "" if cache else NOT_CACHED
