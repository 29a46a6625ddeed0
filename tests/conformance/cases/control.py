"""The verbs that steer a run: suspend, resume, stop, terminate, retry."""

from __future__ import annotations

import os
import time
from typing import Any

from sciflow import InvalidInput, RunFailed, op, secret, suspend, workflow
from tests.conformance.cases.conditions import add, numbers_to, total
from tests.conformance.table import PATIENCE_S, only, phases_of, raised, story

DIAL = {"DIAL": secret(env="CONFORMANCE_DIAL")}


# --- suspend and resume


@workflow
def gated(x: int) -> int:
    y = add(x)
    factor = suspend("look at the first sum", type=int)
    return add(y, factor)


@story("a run waits at a suspended node and goes on with the value given at the resume")
def resumed_with_value(backend: Any) -> None:
    run = backend.run(gated, {"x": 1})
    assert run.phase.value == "Suspended"
    assert only(run, "add").phase.value == "Succeeded"
    assert only(run, "suspend").phase.value == "Suspended"
    first = only(run, "add").started
    run.resume(40)
    assert run.wait(PATIENCE_S).value == "Succeeded"
    assert run.result == 42
    assert only(run, "suspend").phase.value == "Succeeded"
    assert only(run, "add").started == first, "what had ended ran again"


@story("a value of the wrong type is refused at the resume, and the run still waits")
def resumed_wrongly(backend: Any) -> None:
    run = backend.run(gated, {"x": 1})
    assert "int" in str(raised(InvalidInput, lambda: run.resume("forty")))
    assert "does not wait" in str(raised(InvalidInput, lambda: run.resume(1, node="add")))
    assert run.phase.value == "Suspended"
    run.resume(1)
    assert run.wait(PATIENCE_S).value == "Succeeded"


@workflow
def two_gates() -> list[int]:
    left = suspend("left?", type=int, name="left")
    suspend("only look", name="look")
    right = suspend("right?", type=int, name="right")
    return [add(left), right]


@story("suspended nodes are answered one by one, by name, those without a value too")
def answered_by_name(backend: Any) -> None:
    run = backend.run(two_gates, {})
    run.resume(5, node="right")
    run.wait(PATIENCE_S)
    assert {path: only(run, path).phase.value for path in ("left", "look", "right")} == {
        "left": "Suspended", "look": "Suspended", "right": "Succeeded",
    }  # fmt: skip
    run.resume(node="look")
    run.wait(PATIENCE_S)
    run.resume(3, node="left")
    assert run.wait(PATIENCE_S).value == "Succeeded"
    assert run.result == [4, 5]


@workflow
def gate_in_slice(x: int) -> int:
    given = suspend("which?", type=int)
    return add(x, given)


@workflow
def gated_slices(numbers: list[int]) -> list[int]:
    return gate_in_slice.map(x=numbers)


@story("slices of a fan over a sub-graph wait and are answered each for itself")
def gated_fan(backend: Any) -> None:
    run = backend.run(gated_slices, {"numbers": [10, 20]})
    assert run.phase.value == "Suspended"
    run.resume(1, node="gate_in_slice/0/suspend")
    run.wait(PATIENCE_S)
    run.resume(2, node="gate_in_slice/1/suspend")
    assert run.wait(PATIENCE_S).value == "Succeeded"
    assert run.result == [11, 22]


# --- stop, terminate, suspend in the middle of a fan


@op(env=DIAL)
def tick(i: int) -> int:
    if os.environ["DIAL"] != "fast":
        time.sleep(float(os.environ["DIAL"]))
    return i


@op(env=DIAL)
def handler(phase: str) -> str:
    return phase


@workflow(on_exit=handler)
def ticking(count: int) -> int:
    return total(tick.options(chunk=1).map(i=numbers_to(count)))


def _until(run: Any, done: int) -> None:
    """Waits until so many slices of `tick` have ended."""
    for picture in run.watch(interval_s=0.03):
        if any(step.path == "tick" and step.done >= done for step in picture.steps):
            return
    raise AssertionError(f"the run ended before: {run.report()}")


def _many(backend: Any) -> int:
    """Slices that take a while."""
    return min(60, 2 * backend.long)


def _went_on(run: Any, count: int, before: dict[int, float]) -> None:
    """The run has succeeded, and no slice that had ended ran again."""
    assert run.wait(PATIENCE_S).value == "Succeeded", run.report()
    assert run.result == sum(range(count))
    after = {task.slice: task.started for task in run.tasks("tick")}
    assert {i: after[i] for i in before} == before, "a finished slice ran again"


def _finished(run: Any) -> dict[int, float]:
    return {task.slice: task.started for task in run.tasks("tick", phase="Succeeded")}


@story("stop lets what runs end, begins nothing new, runs the exit handler, and retry goes on from there")
def stopped(backend: Any) -> None:
    backend.dial("0.1")
    run = backend.start(ticking, {"count": _many(backend)})
    _until(run, 2)
    run.stop()
    assert run.wait(PATIENCE_S).value == "Failed"
    assert "stopped" in run.snapshot().message
    before = _finished(run)
    assert 2 <= len(before) < _many(backend)
    assert not run.failed_tasks(), "what ran was not let to its end"
    assert only(run, "on-exit").output == "Failed"
    backend.dial("fast")
    run.retry()
    _went_on(run, _many(backend), before)


@story("terminate kills what runs, without the exit handler, and retry goes on from there")
def terminated(backend: Any) -> None:
    backend.dial("0.1")
    run = backend.start(ticking, {"count": _many(backend)})
    _until(run, 2)
    run.cancel()
    assert run.wait(PATIENCE_S).value == "Failed"
    assert "terminated" in run.snapshot().message
    before = _finished(run)
    assert 2 <= len(before) < _many(backend)
    assert not any(task.node == "on-exit" and task.started for task in run.tasks())
    backend.dial("fast")
    run.retry()
    _went_on(run, _many(backend), before)


@story("terminate ends an op that would run for long")
def terminated_at_once(backend: Any) -> None:
    backend.dial("300")
    run = backend.start(ticking, {"count": 3})
    for picture in run.watch(interval_s=0.03):
        if any(step.path == "tick" and step.running for step in picture.steps):
            break
    time.sleep(0.3)
    run.cancel()
    assert run.wait(PATIENCE_S).value == "Failed"


@story("suspend begins nothing new until resume, and nothing runs twice")
def suspended(backend: Any) -> None:
    backend.dial("0.1")
    run = backend.start(ticking, {"count": _many(backend)})
    _until(run, 2)
    run.suspend()
    assert run.wait(PATIENCE_S).value == "Suspended"
    before = _finished(run)
    assert 2 <= len(before) < _many(backend)
    assert not run.failed_tasks()
    time.sleep(0.3)
    assert _finished(run) == before
    backend.dial("fast")
    run.resume()
    _went_on(run, _many(backend), before)


# --- retry


@op(env=DIAL)
def fragile(x: int) -> int:
    print(f"dial {os.environ['DIAL']}")
    if os.environ["DIAL"] == "broken":
        if x == 1:
            raise ValueError("broken")
        if x == 2:
            os._exit(3)
    return x


@workflow
def with_failures(numbers: list[int]) -> int:
    sure = add.map(a=numbers)
    return add(total(fragile.map(x=numbers)), total.options(name="sure")(sure))


@story("retry runs the failed, error and omitted tasks again and nothing else")
def retried(backend: Any) -> None:
    backend.dial("broken")
    run = backend.run(with_failures, {"numbers": [0, 1, 2, 3]})
    assert run.phase.value == "Failed"
    assert phases_of(run, "fragile") == ["Succeeded", "Failed", "Error", "Succeeded"]
    assert only(run, "total").phase.value == "Omitted"
    assert "fragile/1" in str(raised(RunFailed, lambda: run.result))
    before = {t.path: t.started for t in run.tasks() if t.phase.value == "Succeeded"}
    backend.dial("mended")
    run.retry()
    assert run.wait(PATIENCE_S).value == "Succeeded", run.report()
    assert run.result == 16
    after = {t.path: t.started for t in run.tasks()}
    again = {path for path in after if before.get(path) != after[path]}
    assert again == {"fragile/1", "fragile/2", "total", "add-2"}
    assert not run.failed_tasks()
    log = run.logs("fragile/1", stream="out")
    assert log.index("dial broken") < log.index("dial mended"), "the log of the first go is lost"


@workflow
def inner_failure(x: int) -> int:
    return add(fragile(add(x)))


@workflow
def nested_failures(numbers: list[int]) -> list[int]:
    return inner_failure.map(x=numbers)


@story("retry goes into the sub-graph that failed and runs only what failed there")
def retried_inside(backend: Any) -> None:
    backend.dial("broken")
    run = backend.run(nested_failures, {"numbers": [0, 4]})
    assert phases_of(run, "inner_failure") == ["Failed", "Succeeded"]
    before = {t.path: t.started for t in run.tasks() if t.started}
    backend.dial("mended")
    run.retry()
    assert run.wait(PATIENCE_S).value == "Succeeded", run.report()
    assert run.result == [2, 6]
    after = {t.path: t.started for t in run.tasks() if t.started}
    again = {path for path in after if "add" in path or "fragile" in path} - {
        path for path in before if before[path] == after.get(path)
    }
    assert again == {"inner_failure/0/fragile", "inner_failure/0/add-2"}


@story("retry of a run that fails again tells the new failure")
def failed_again(backend: Any) -> None:
    backend.dial("broken")
    run = backend.run(with_failures, {"numbers": [0, 1]})
    first = only(run, "fragile/1").started
    run.retry()
    assert run.wait(PATIENCE_S).value == "Failed"
    assert only(run, "fragile/1").started > first
    assert len(run.failed_tasks()) == 1
    assert run.logs("fragile/1", stream="out").count("dial broken") == 2


SOURCE = """
from sciflow import op, workflow

def limit():
    return {limit}

@op
def judge(x: int) -> int:
    if x > limit():
        raise ValueError(f"{{x}} is above {{limit()}}")
    return x

@workflow
def judged(numbers: list[int]) -> list[int]:
    return judge.map(x=numbers)
"""


@story("retry after a mend of the op's code runs the mended code")
def retried_mended(backend: Any) -> None:
    module = backend.module("conformance_judge", SOURCE.format(limit=2))
    run = backend.run(module.judged, {"numbers": [1, 3]})
    assert phases_of(run, "judge") == ["Succeeded", "Failed"]
    first = only(run, "judge/0").started
    backend.module("conformance_judge", SOURCE.format(limit=5))
    run.retry()
    assert run.wait(PATIENCE_S).value == "Succeeded", run.report()
    assert run.result == [1, 3]
    assert only(run, "judge/0").started == first
