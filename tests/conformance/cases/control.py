"""Conditions, choices, and the verbs that steer a run: suspend, resume, stop, terminate, retry."""

from __future__ import annotations

import os
import time
from typing import Any

from sciflow import RunFailed, choose, contains, length, not_, op, secret, suspend, when, workflow
from tests.conformance.table import Case, Refusal, only, phases_of, story

DIAL = {"DIAL": secret(env="CONFORMANCE_DIAL")}


@op
def add(a: int, b: int = 1) -> int:
    return a + b


@op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@op
def maybe(x: int | None) -> str:
    return "absent" if x is None else str(x)


@op
def default(x: int = 42) -> int:
    return x


@workflow
def conditional(x: int) -> str:
    with when(x > 0):
        y = add(x)
    return maybe(y)


condition_true = Case(
    "a node runs when its condition is true",
    conditional,
    inputs={"x": 1},
    result="2",
    phases={"add": "Succeeded", "maybe": "Succeeded"},
)
condition_false = Case(
    "a node is skipped when its condition is false, and its output is absent",
    conditional,
    inputs={"x": 0},
    result="absent",
    phases={"add": "Skipped", "maybe": "Succeeded"},
)


@workflow
def conditional_default(x: int) -> int:
    with when(x > 0):
        y = add(x)
    return default(y)


skipped_default = Case(
    "a skipped output leaves the port at its default", conditional_default, inputs={"x": 0}, result=42
)


@workflow
def conditional_demand(x: int) -> int:
    with when(x > 0):
        y = add(x)
    return add(y)


skipped_refused = Refusal(
    "a skipped output is refused where the port has no default and does not accept its absence",
    conditional_demand,
    inputs={"x": 0},
    says=("a of add", "x > 0"),
)


@op
def numbers_to(count: int) -> list[int]:
    return list(range(count))


@workflow
def on_a_fan(count: int) -> str:
    sums = add.map(a=numbers_to(count))
    with when((length(sums) > 2) & contains(sums, 3)):
        y = total(sums)
    with when(not_(length(sums) > 2)):
        add.options(name="few")(count)
    return maybe(y)


fan_condition = Case(
    "a condition rests on the output of a fan",
    on_a_fan,
    inputs={"count": 4},
    result="10",
    phases={"total": "Succeeded", "few": "Skipped"},
)
fan_condition_false = Case(
    "a condition on the output of a fan is false",
    on_a_fan,
    inputs={"count": 1},
    result="absent",
    phases={"total": "Skipped", "few": "Succeeded"},
)


@workflow
def under(numbers: list[int], go: bool) -> list[list[int] | None]:
    with when(go):
        fan = add.map(a=numbers)
        with when(length(numbers) > 1):
            more = add.options(name="more").map(a=fan)
    return [choose(go, fan, None), choose(go & (length(numbers) > 1), more, None)]


nested_conditions = Case(
    "a condition inside a condition holds only where both do",
    under,
    inputs={"numbers": [1], "go": True},
    result=[[2], None],
    phases={"add/0": "Succeeded", "more": "Skipped"},
)
skipped_fan = Case(
    "a fan under a false condition is skipped as a whole",
    under,
    inputs={"numbers": [1, 2], "go": False},
    result=[None, None],
    phases={"add": "Skipped", "more": "Skipped"},
)


@op
def explode(x: int) -> int:
    raise RuntimeError("must not run")


@workflow
def chooses(x: int) -> int:
    with when(x > 0):
        y = add(x)
    with when(not_(x > 0)):
        z = add.options(name="otherwise")(x, 100)
    with when(x > 1000):
        explode(x)
    return choose(x > 0, y, z)


choice = Case(
    "of two values the chosen one alone need exist",
    chooses,
    inputs={"x": 5},
    result=6,
    phases={"otherwise": "Skipped", "explode": "Skipped"},
)
other_choice = Case(
    "of two values the other one is chosen where the condition is false",
    chooses,
    inputs={"x": -5},
    result=95,
    phases={"add": "Skipped", "otherwise": "Succeeded"},
)


@workflow
def half(x: int) -> int | None:
    with when(x % 2 == 0):
        y = add(x // 2, 0)
    return y


@op
def shown(numbers: list[int | None]) -> list[int | None]:
    return numbers


@workflow
def conditional_outputs(numbers: list[int]) -> list[int | None]:
    return shown(half.map(x=numbers))


graph_outputs = Case(
    "a conditional output of a graph is absent in those slices that skip it",
    conditional_outputs,
    inputs={"numbers": [1, 2, 3, 4]},
    result=[None, 1, None, 2],
    phases={"half/0/add": "Skipped", "half/1/add": "Succeeded", "half/0": "Succeeded"},
)


@workflow
def skipped_graph(x: int) -> str:
    with when(x > 0):
        y = half(x)
    return maybe(y)


sub_graph_skipped = Case(
    "a sub-workflow under a false condition is skipped and never opened",
    skipped_graph,
    inputs={"x": 0},
    result="absent",
    phases={"half": "Skipped"},
)


@workflow
def on_truth(x: float, items: list[int]) -> list[str]:
    with when(x):  # type: ignore[arg-type]
        a = add(1)
    with when(items):  # type: ignore[arg-type]
        b = add(2)
    return [maybe(a), maybe(b)]


@story("`if` on a reference is refused, and names what to use")
def if_refused(backend: Any) -> None:
    @workflow
    def branching(x: int) -> int:
        return add(x) if x > 0 else x

    Refusal("", branching, inputs={"x": 1}, says=("control.py:", "when", "choose")).play(backend)


@story("iterating over a reference is refused, and names .map")
def loop_refused(backend: Any) -> None:
    @workflow
    def looping(numbers: list[int]) -> list[int]:
        return [add(x) for x in numbers]

    Refusal("", looping, inputs={"numbers": [1]}, says=("control.py:", ".map")).play(backend)


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
    assert run.wait(20).value == "Succeeded"
    assert run.result == 42
    assert only(run, "suspend").phase.value == "Succeeded"
    assert only(run, "add").started == first, "what had ended ran again"


@story("a value of the wrong type is refused at the resume, and the run still waits")
def resumed_wrongly(backend: Any) -> None:
    run = backend.run(gated, {"x": 1})
    try:
        run.resume("forty")
    except Exception as error:  # noqa: BLE001  any of ours will do
        assert "int" in str(error)
    else:
        raise AssertionError(f"it was taken, and the run is {run.wait(5).value}")
    assert run.phase.value == "Suspended"
    run.resume(1)
    assert run.wait(20).value == "Succeeded"


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
    run.wait(20)
    assert {path: only(run, path).phase.value for path in ("left", "look", "right")} == {
        "left": "Suspended", "look": "Suspended", "right": "Succeeded",
    }  # fmt: skip
    run.resume(node="look")
    run.wait(20)
    run.resume(3, node="left")
    assert run.wait(20).value == "Succeeded"
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
    run.wait(20)
    run.resume(2, node="gate_in_slice/1/suspend")
    assert run.wait(20).value == "Succeeded"
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


def _went_on(run: Any, count: int, before: dict[int, float]) -> None:
    """The run has succeeded, and no slice that had ended ran again."""
    assert run.wait(30).value == "Succeeded", run.report()
    assert run.result == sum(range(count))
    after = {task.slice: task.started for task in run.tasks("tick")}
    assert {i: after[i] for i in before} == before, "a finished slice ran again"


def _finished(run: Any) -> dict[int, float]:
    return {task.slice: task.started for task in run.tasks("tick", phase="Succeeded")}


@story("stop lets what runs end, begins nothing new, runs the exit handler, and retry goes on from there")
def stopped(backend: Any) -> None:
    backend.dial("0.2")
    run = backend.start(ticking, {"count": 12})
    _until(run, 2)
    run.stop()
    assert run.wait(20).value == "Failed"
    assert "stopped" in run.snapshot().message
    before = _finished(run)
    assert 2 <= len(before) < 12
    assert not run.failed_tasks(), "what ran was not let to its end"
    assert only(run, "on-exit").output == "Failed"
    backend.dial("fast")
    run.retry()
    _went_on(run, 12, before)


@story("terminate kills what runs, without the exit handler, and retry goes on from there")
def terminated(backend: Any) -> None:
    backend.dial("0.1")
    run = backend.start(ticking, {"count": 30})
    _until(run, 2)
    begun = time.monotonic()
    run.cancel()
    assert run.wait(20).value == "Failed"
    assert time.monotonic() - begun < 15
    assert "terminated" in run.snapshot().message
    before = _finished(run)
    assert 2 <= len(before) < 30
    assert not any(task.node == "on-exit" and task.started for task in run.tasks())
    backend.dial("fast")
    run.retry()
    _went_on(run, 30, before)


@story("terminate ends an op that would run for long")
def terminated_at_once(backend: Any) -> None:
    backend.dial("60")
    run = backend.start(ticking, {"count": 3})
    for picture in run.watch(interval_s=0.03):
        if any(step.path == "tick" and step.running for step in picture.steps):
            break
    time.sleep(0.3)
    run.cancel()
    begun = time.monotonic()
    assert run.wait(20).value == "Failed"
    assert time.monotonic() - begun < 30


@story("suspend begins nothing new until resume, and nothing runs twice")
def suspended(backend: Any) -> None:
    backend.dial("0.1")
    run = backend.start(ticking, {"count": 12})
    _until(run, 2)
    run.suspend()
    assert run.wait(20).value == "Suspended"
    before = _finished(run)
    assert 2 <= len(before) < 12
    assert not run.failed_tasks()
    time.sleep(0.3)
    assert _finished(run) == before
    run.resume()
    _went_on(run, 12, before)


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
    try:
        _ = run.result
    except RunFailed as error:
        assert "fragile/1" in str(error)
    else:
        raise AssertionError("a failed run has a result")
    before = {t.path: t.started for t in run.tasks() if t.phase.value == "Succeeded"}
    backend.dial("mended")
    run.retry()
    assert run.wait(30).value == "Succeeded", run.report()
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
    assert run.wait(30).value == "Succeeded", run.report()
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
    assert run.wait(30).value == "Failed"
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
    assert run.wait(30).value == "Succeeded", run.report()
    assert run.result == [1, 3]
    assert only(run, "judge/0").started == first
