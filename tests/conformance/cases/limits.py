"""Limits: how many tasks run at once, in which order, and with what."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any, NamedTuple

from sciflow import ConfigError, InvalidWorkflow, context, op, workflow
from tests.conformance.table import Case, most_at_once, raised, story

NAP_S = 0.12


@op
def nap(i: int) -> int:
    time.sleep(NAP_S)
    return i


def at_most(count: int, *steps: str) -> Any:
    """Checks how many tasks ran at once."""

    def check(run: Any) -> None:
        found = most_at_once(run, *steps)
        assert found <= count, f"{found} ran at once"

    return check


@workflow
def napping(count: int) -> list[int]:
    return nap.options(chunk=1).map(i=list(range(6)))


@op
def rest(i: int) -> int:
    time.sleep(1.5)  # where pods run them, two that are meant to run at once begin a second apart
    return i


@workflow
def resting(numbers: list[int]) -> list[int]:
    return rest.map(i=numbers)


def _side_by_side(run: Any) -> None:
    assert most_at_once(run, "rest") == 2


unlimited = Case(
    "as many tasks run at once as there are workers",
    resting,
    inputs={"numbers": [0, 1, 2, 3]},
    options={"workers": 2},
    result=[0, 1, 2, 3],
    check=_side_by_side,
)
run_limit = Case(
    "the run's parallelism limits how many tasks run at once",
    napping,
    inputs={"count": 6},
    options={"workers": 4, "parallelism": 2},
    result=list(range(6)),
    check=at_most(2, "nap"),
)


@workflow
def limited_fan(numbers: list[int]) -> tuple[list[int], list[int]]:
    return (
        nap.options(chunk=1, parallelism=1, name="narrow").map(i=numbers),
        nap.options(chunk=1, name="wide").map(i=numbers),
    )


def _narrow(run: Any) -> None:
    at_most(1, "narrow")(run)
    at_most(3, "narrow", "wide")(run)


fan_limit = Case(
    "a fan's parallelism limits that fan alone",
    limited_fan,
    inputs={"numbers": [0, 1, 2, 3]},
    options={"workers": 3},
    result=([0, 1, 2, 3], [0, 1, 2, 3]),
    check=_narrow,
)


@workflow
def inner(i: int) -> int:
    return nap(nap.options(name="first")(i))


@workflow
def limited_sub_graphs(numbers: list[int]) -> list[int]:
    return inner.options(parallelism=1).map(i=numbers)


sub_graph_limit = Case(
    "the parallelism of a fan over a sub-graph limits how many slices are open at once",
    limited_sub_graphs,
    inputs={"numbers": [0, 1, 2]},
    options={"workers": 3},
    result=[0, 1, 2],
    check=at_most(1, "inner/first", "inner/nap"),
)


@workflow(parallelism=2)
def limited_workflow(numbers: list[int]) -> list[int]:
    return nap.options(chunk=1).map(i=numbers)


@workflow
def two_limited(numbers: list[int]) -> list[list[int]]:
    return [limited_workflow(numbers), limited_workflow(numbers)]


graph_limit = Case(
    "a workflow's parallelism limits what runs in it",
    limited_workflow,
    inputs={"numbers": [0, 1, 2, 3, 4]},
    options={"workers": 4},
    result=[0, 1, 2, 3, 4],
    check=at_most(2, "nap"),
)


@workflow
def locked(numbers: list[int]) -> list[list[int]]:
    return [
        nap.options(chunk=1, name="left", locks="disk").map(i=numbers),
        nap.options(chunk=1, name="right", locks={"disk": 1, "other": 5}).map(i=numbers),
        nap.options(chunk=1, name="licensed", locks={"licence": 2}).map(i=numbers),
    ]


def _locked(run: Any) -> None:
    at_most(1, "left", "right")(run)
    at_most(2, "licensed")(run)


named_lock = Case(
    "tasks that name a lock run no more at once than it lets, whatever node they are of",
    locked,
    inputs={"numbers": [0, 1, 2]},
    options={"workers": 5},
    result=[[0, 1, 2]] * 3,
    check=_locked,
)


@op
def instant(i: int) -> int:
    return i


@workflow
def prioritised(numbers: list[int]) -> list[list[int]]:
    return [
        instant.options(name="low", priority=-5).map(i=numbers),
        instant.options(name="middle").map(i=numbers),
        instant.options(name="high", priority=5).map(i=numbers),
    ]


def _in_order_of_priority(run: Any) -> None:
    times = {step: [task.started for task in run.tasks(step)] for step in ("high", "middle", "low")}
    assert max(times["high"]) <= min(times["middle"])
    assert max(times["middle"]) <= min(times["low"])


priority = Case(
    "of what is ready the higher priority runs first",
    prioritised,
    inputs={"numbers": [0, 1, 2, 3]},
    options={"workers": 1},
    result=[[0, 1, 2, 3]] * 3,
    check=_in_order_of_priority,
)


class Granted(NamedTuple):
    cpus: int
    memory_mb: int
    gpus: int
    threads: str


@op
def granted(i: int) -> Granted:
    here = context()
    time.sleep(NAP_S)
    return Granted(here.cpus, here.memory_mb, len(here.gpus), os.environ.get("OMP_NUM_THREADS", ""))


@workflow
def cores(numbers: list[int]) -> list[Granted]:
    return granted.options(chunk=1, cpus=2).map(i=numbers)


count_cores = Case(
    "cores are counted and told to the op",
    cores,
    inputs={"numbers": [0, 1, 2, 3]},
    options={"workers": 5},
    result=[Granted(2, 0, 0, "2")] * 4,
    check=at_most(2, "granted"),
)


@workflow
def memory(numbers: list[int]) -> list[Granted]:
    return granted.options(chunk=1, memory_mb=400).map(i=numbers)


count_memory = Case(
    "memory is counted and told to the op",
    memory,
    inputs={"numbers": [0, 1, 2, 3]},
    options={"workers": 4, "memory_mb": 1000},
    result=[Granted(1, 400, 0, "1")] * 4,
    check=at_most(2, "granted"),
)


@op
def on_gpus(i: int) -> tuple[tuple[int, ...], str]:
    time.sleep(NAP_S)
    return context().gpus, os.environ.get("CUDA_VISIBLE_DEVICES", "")


@workflow
def gpus(numbers: list[int]) -> list[tuple[tuple[int, ...], str]]:
    return on_gpus.options(chunk=1, gpus=1).map(i=numbers)


@workflow
def gpu_pairs(numbers: list[int]) -> list[tuple[tuple[int, ...], str]]:
    return on_gpus.options(chunk=1, gpus=2).map(i=numbers)


@story("GPUs are counted, each given to one task at a time, and named to it")
def count_gpus(backend: Any) -> None:
    run = backend.run(gpus, {"numbers": [0, 1, 2, 3, 4]}, workers=4, gpus=2)
    assert run.phase.value == "Succeeded", run.report()
    assert most_at_once(run, "on_gpus") <= 2
    spans: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for task, (numbers, visible) in zip(run.tasks("on_gpus"), run.result, strict=True):
        (number,) = numbers
        assert visible == str(number)
        spans[number].append((task.started, task.started + task.seconds))
    for of_one in map(sorted, spans.values()):
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(of_one)), "shared at once"


@story("a task may have several GPUs")
def several_gpus(backend: Any) -> None:
    run = backend.run(gpu_pairs, {"numbers": [0, 1]}, workers=3, gpus=2)
    assert run.result == [((0, 1), "0,1")] * 2
    assert most_at_once(run, "on_gpus") == 1


@story("a task that asks for more than there is is refused before anything runs")
def too_much(backend: Any) -> None:
    for workflow_, said in ((cores, "cpus=2"), (memory, "memory_mb=400"), (gpu_pairs, "gpus=2")):
        error = raised(
            (ConfigError, InvalidWorkflow),
            lambda w=workflow_: backend.run(w, {"numbers": [0]}, workers=1, memory_mb=100, gpus=1),
        )
        assert said in str(error)
        assert "limits.py:" in str(error)
