"""Programs at random do the same on Argo as on the embedded engine: phases, attempts, values, errors and the outcome.

Many are packed into one workflow, side by side as its sub-workflows: a pod costs seconds. How many programs, and from
which number on, can be said by SCIFLOW_TEST_PROGRAMS, as "40" or "40:1000"; SCIFLOW_TEST_SLOW=1 takes 40.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import pytest

from sciflow import Run
from sciflow.core.records import TaskError
from tests.conformance.random_programs import Program, module_of, programs_at_random
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.service import Kubernetes

SLOW = bool(os.environ.get("SCIFLOW_TEST_SLOW"))
COUNT, _, START = os.environ.get("SCIFLOW_TEST_PROGRAMS", "40" if SLOW else "4").partition(":")
PACKED = 10  # programs of one run

pytestmark = pytest.mark.kubernetes


@pytest.fixture(autouse=True)
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="random", pods=2, parallelism=6)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("start", range(int(START or 0), int(START or 0) + int(COUNT), PACKED))
def test_programs_at_random_do_the_same_on_argo_as_here(start: int) -> None:
    left = int(START or 0) + int(COUNT) - start
    compare(packed(programs_at_random(min(PACKED, left), start=start)), 0)


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not SLOW, reason="minutes: SCIFLOW_TEST_SLOW=1 runs it")
def test_programs_at_random_with_exit_handlers_come_to_the_same_end_on_argo() -> None:
    for program in programs_at_random(6, start=10_000, exits=True):
        compare(program.workflow(), program.n, program.k)


def packed(programs: Sequence[Program]) -> Any:
    """A workflow that runs them all, half of them with inputs that are known only while it runs."""
    calls = [
        f"    {p.name}.options(name={p.name!r})({p.n} + {'nothing' if k % 2 else 0}, {p.k})\n"
        for k, p in enumerate(programs)
    ]
    text = "".join([*(p.source for p in programs), "\n@workflow\ndef packed(nothing: int) -> None:\n", *calls])
    return module_of(text)["packed"]


def compare(workflow: Any, *inputs: int) -> None:
    here, there = workflow.run(*inputs), workflow.run(*inputs, on="argo")
    expected, found = told(here), told(there)
    wrong = {path: (expected.get(path), found.get(path)) for path in expected | found}
    assert {path: pair for path, pair in wrong.items() if pair[0] != pair[1]} == {}
    assert there.phase is here.phase
    if str(here.phase) == "Succeeded":
        assert plain(there.result_tree()) == plain(here.result_tree())


def told(run: Run[Any]) -> dict[str, Any]:
    """What there is to see of each task."""
    return {
        task.path: (
            task.phase.value,
            task.attempt,
            plain(task.output),
            None if task.error is None else (task.error.kind, task.error.type, message(task.error)),
        )
        for task in run.tasks()
    }


def message(error: TaskError) -> str:
    """What an error says; of a workflow that failed not because of which task, since that is the first in time."""
    return error.message.partition(" because of ")[0] if error.kind == "inner" else error.message


def plain(tree: Any) -> Any:
    """A value without the places of its files."""
    match tree:
        case {"$": "artifact", "path": str() as path}:
            return PurePath(path).name
        case dict():
            return {name: plain(value) for name, value in tree.items()}
        case list():
            return [plain(value) for value in tree]
        case _:
            return tree
