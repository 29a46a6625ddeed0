"""Conditions and choices: what is skipped, and what becomes of outputs that are absent."""

from __future__ import annotations

import math
from typing import Any

from sciflow import choose, contains, length, not_, op, when, workflow
from tests.conformance.table import Case, Refusal, story


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
        halved = add(x // 2, 0)
    return halved  # noqa: RET504  as a user would write it


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


def _never_opened(run: Any) -> None:
    assert [task.path for task in run.tasks()] == ["half", "maybe"]


sub_graph_skipped = Case(
    "a sub-workflow under a false condition is skipped and never opened",
    skipped_graph,
    inputs={"x": 0},
    result="absent",
    phases={"half": "Skipped"},
    check=_never_opened,
)


@story("`if` on a reference is refused, and names what to use")
def if_refused(backend: Any) -> None:
    @workflow
    def branching(x: int) -> int:
        return add(x) if x > 0 else x

    Refusal("", branching, inputs={"x": 1}, says=("conditions.py:", "when", "choose")).play(backend)


@story("iterating over a reference is refused, and names .map")
def loop_refused(backend: Any) -> None:
    @workflow
    def looping(numbers: list[int]) -> list[int]:
        return [add(x) for x in numbers]

    Refusal("", looping, inputs={"numbers": [1]}, says=("conditions.py:", ".map")).play(backend)


@op
def fraction(a: float, b: float) -> float:
    return a / b if b else math.nan


@workflow
def undecided(b: float) -> int | None:
    share = fraction(1.0, b)
    with when(share > 0.5):
        half = default()
    return half  # noqa: RET504  it stands under the condition


nan_in_a_condition = Case(
    "a condition that compares with NaN fails its node, and both are named",
    undecided,
    inputs={"b": 0.0},
    phase="Failed",
    failed=("default",),
    report=("the condition of default, fraction > 0.5, has no value", "NaN"),
)


@workflow
def undecided_choice(b: float) -> float:
    share = fraction(1.0, b)
    return choose(share > 0.5, share, 3.0)


nan_in_a_choice = Case(
    "a choice that compares with NaN is none, and the run says so",
    undecided_choice,
    inputs={"b": 0.0},
    phase="Failed",
    report=("NaN",),
)
