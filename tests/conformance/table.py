"""What a case of the conformance table is: data where one run tells all, a function where it takes several steps.

Every kind has a sentence for a name and a `play(backend)`, which raises AssertionError where the back end does
something else. What is seen of a run is seen through its `Run` handle alone, so that every back end can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tests.conformance.likeness import alike, seen

if TYPE_CHECKING:  # a worker that imports a case's ops has no need of more
    from sciflow import Run
    from tests.conformance.backends import Backend

E = TypeVar("E", bound=Exception)
PATIENCE_S = 100.0  # with a run of a second, on a machine with much else to do
Files = Callable[[Any], Mapping[str, Any]]  # from the author's folder to inputs that are files


@dataclass(frozen=True)
class Case:
    """A workflow that is run once to its end, and what is then to be seen."""

    name: str
    workflow: Any
    _: KW_ONLY
    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Files | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    phase: str = "Succeeded"
    result: Any = None  # compared type by type and bit by bit, paths by name and content
    phases: Mapping[str, str] = field(default_factory=dict)  # of nodes and tasks, by path
    attempts: Mapping[str, int] = field(default_factory=dict)  # by path
    counts: Mapping[str, int] = field(default_factory=dict)  # rows of a step: tasks, or a node without any
    failed: tuple[str, ...] = ()  # paths of everything that failed
    report: tuple[str, ...] = ()  # texts of the report, in this order
    check: Callable[[Run[Any]], None] | None = None

    def play(self, backend: Backend) -> None:
        """Run it and compare."""
        inputs = dict(self.inputs) | (dict(self.files(backend.desk)) if self.files is not None else {})
        run = backend.run(self.workflow, inputs, **self.options)
        assert run.phase.value == self.phase, report_of(run)
        if self.phase == "Succeeded":
            alike(seen(run.result), self.result)
        assert {path: phase_of(run, path) for path in self.phases} == dict(self.phases)
        assert {path: only(run, path).attempt for path in self.attempts} == dict(self.attempts)
        assert {step: len(run.tasks(step)) for step in self.counts} == dict(self.counts)
        assert sorted(task.path for task in run.failed_tasks()) == sorted(self.failed)
        if self.report:
            holds_in_order(report_of(run), self.report)
        if self.check is not None:
            self.check(run)


@dataclass(frozen=True)
class Refusal:
    """A workflow that must be refused before anything runs, and the texts that say why."""

    name: str
    workflow: Any
    _: KW_ONLY
    inputs: Mapping[str, Any] = field(default_factory=dict)
    says: tuple[str, ...]
    problems: int = 1

    def play(self, backend: Backend) -> None:
        """Try to run it."""
        from sciflow import InvalidWorkflow

        refusal = raised(InvalidWorkflow, lambda: backend.run(self.workflow, self.inputs))
        assert len(refusal.problems) == self.problems, str(refusal)
        holds_in_order(str(refusal), self.says)
        assert not backend.runs(), "something was run"


@dataclass(frozen=True)
class Story:
    """Several steps with one or more runs."""

    name: str
    play: Callable[[Backend], None]


def story(name: str) -> Callable[[Callable[[Backend], None]], Story]:
    """Make a function a story of the table."""

    def named(play: Callable[[Backend], None]) -> Story:
        return Story(name, play)

    return named


def through(echo: Any, values: list[Any]) -> dict[str, Any]:
    """The arguments of a case that sends each value through two nodes of the op `echo`, in a fan."""
    from sciflow import workflow

    @workflow
    def sent(values: list[Any]) -> list[Any]:
        return echo.options(name="second").map(value=echo.options(name="first").map(value=values))  # type: ignore[no-any-return]

    return {"workflow": sent, "inputs": {"values": values}, "result": values}


AnyCase = Case | Refusal | Story


def table_of(module: Any) -> list[AnyCase]:
    """The cases of a module, in the order in which they stand there."""
    found = [value for value in vars(module).values() if isinstance(value, (Case, Refusal, Story))]
    return found + [case for name, many in vars(module).items() if name == "CASES" for case in many]


def raised(kind: type[E] | tuple[type[E], ...], call: Callable[[], object]) -> E:
    """The error that `call` raises."""
    try:
        found = call()
    except kind as error:
        return error
    raise AssertionError(f"nothing was raised, but {found!r} returned")


def only(run: Run[Any], path: str) -> Any:
    """The one task of a path."""
    (task,) = run.tasks(path)
    return task


def phase_of(run: Run[Any], path: str) -> str:
    """The phase of a task, or of a node that has none."""
    return str(only(run, path).phase.value)


def phases_of(run: Run[Any], step: str) -> list[str]:
    """The phases of a step's tasks, in order."""
    return [task.phase.value for task in run.tasks(step)]


def report_of(run: Run[Any]) -> str:
    """Why a run did not succeed."""
    return str(run.report())


def holds_in_order(text: str, parts: tuple[str, ...]) -> None:
    """Each of `parts` is found in `text` after the one before it."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing, or in another place, in:\n{text}"
        at = found + len(part)


def most_at_once(run: Run[Any], *steps: str) -> int:
    """How many tasks of the steps ran at the same time, by their recorded starts and durations."""
    times = [(t.started, t.started + t.seconds) for step in steps for t in run.tasks(step)]
    return max(sum(a <= start < b for a, b in times) for start, _ in times)
