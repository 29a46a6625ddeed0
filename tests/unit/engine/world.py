"""A world in memory for the scheduler: nothing runs, outcomes are told by the test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from sciflow.core.expr import Tree
from sciflow.core.graph import Function, Graph, Node, OpTemplate, WorkflowSpec
from sciflow.core.job import Job
from sciflow.core.ports import ANY, Port
from sciflow.core.records import Extra, Phase, TaskError
from sciflow.engine.activation import NodeRun
from sciflow.engine.journal import Ending
from sciflow.engine.limits import Limits
from sciflow.engine.scheduler import Scheduler

Verdict = Callable[[str, int, int], TaskError | None]  # (task path, slice, attempt) -> why it fails, if it does


class Notebook:
    """A journal and the values of a run, in dictionaries."""

    def __init__(self) -> None:
        self.phases: dict[str, Phase] = {}
        self.tasks: dict[str, tuple[Phase, int]] = {}  # path -> phase, attempt
        self.outputs: dict[int, dict[int, bytes | None]] = {}
        self.numbers: dict[str, int] = {}

    def number(self, path: str, template: str) -> int:
        return self.numbers.setdefault(path, len(self.numbers) + 1)

    def node(self, run: NodeRun) -> None:
        self.phases[run.path] = run.phase

    def task(self, run: NodeRun, slice_: int, attempt: int, key: str | None, ending: Ending) -> None:
        path = run.path if slice_ < 0 else f"{run.path}/{slice_}"
        assert path not in self.tasks, f"{path} ended twice"
        self.tasks[path] = (ending.phase, attempt)
        self.outputs.setdefault(run.number, {})[slice_] = ending.output

    def attempt(self, run: NodeRun, slice_: int, attempt: int, ending: Ending) -> None:
        pass

    def ended(self, number: int) -> Sequence[tuple[int, Phase, bool, bool]]:
        return ()

    def attempts(self, number: int) -> Sequence[tuple[int, int, int]]:
        return ()

    def output(self, number: int, slice_: int) -> bytes | None:
        return self.outputs[number][slice_]

    def fold(self, text: bytes) -> bytes:
        return text

    def unfold(self, tree: Tree) -> Tree:
        return tree

    def elements(self, text: bytes) -> Sequence[bytes]:
        found = json.loads(text)
        if not isinstance(found, list):
            raise TypeError(f"expected a list, found {type(found).__name__}")
        return [json.dumps(element).encode() for element in found]

    def gather(self, number: int, total: int) -> bytes:
        known = self.outputs.get(number, {})
        return b"[" + b",".join(known.get(i) or b"null" for i in range(total)) + b"]"


def op(name: str, *ports: str) -> OpTemplate:
    """An op template that takes anything."""
    inputs = tuple(Port(name=port, type=ANY) for port in ports)
    return OpTemplate(name=name, inputs=inputs, output=ANY, code=Function(module="m", qualname=name))


def spec_of(nodes: Sequence[Node], *templates: OpTemplate, inputs: Sequence[str] = (), **graph: object) -> WorkflowSpec:
    """A workflow of one graph."""
    ports = tuple(Port(name=name, type=ANY) for name in inputs)
    main = Graph(name="main", inputs=ports, nodes=tuple(nodes), output=ANY, **graph)  # type: ignore[arg-type]
    return WorkflowSpec(name="w", entry="main", templates={t.name: t for t in (*templates, main)})


def simulate(
    spec: WorkflowSpec, inputs: dict[str, bytes], verdict: Verdict, *, slices: int = 3
) -> tuple[Scheduler, Notebook]:
    """Carries the run to its end; each job's tasks end in order, a task gives back its own path."""
    notebook = Notebook()
    scheduler = Scheduler(spec, journal=notebook, values=notebook, limits=Limits())
    scheduler.start(inputs)
    now = 0.0
    while scheduler.outcome is None:
        jobs = list(_taken(scheduler, slices))
        for job in jobs:
            for position in range(len(job.slices)):
                scheduler.finish(job.id, position, _ending(job, position, verdict), now)
        wake = scheduler.next_wake()
        assert jobs or wake is not None, "the run stands still"
        now = max(now, wake or now)
        scheduler.wake(now)
    return scheduler, notebook


def _taken(scheduler: Scheduler, slices: int) -> list[Job]:
    jobs = []
    for need in scheduler.needs():
        while scheduler.next_template(need) is not None:
            job = scheduler.take(need, slices)
            if job is not None:
                jobs.append(job)
    return jobs


def _ending(job: Job, position: int, verdict: Verdict) -> Ending:
    error = verdict(job.task_path(position), job.slices[position], job.attempts[position])
    if error is None:
        return Ending(Phase.SUCCEEDED, json.dumps(job.task_path(position)).encode())
    return Ending(Phase.FAILED, extra=Extra(error=error))
