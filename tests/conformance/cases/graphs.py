"""Graphs of ops: chains, branches, sub-workflows, defaults, several outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from sciflow import choose, contains, length, op, sequence, text, when, workflow
from tests.conformance.table import Case, Refusal, phase_of, story

DEEP = 50


@op
def add(a: int, b: int = 1) -> int:
    return a + b


@op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@workflow
def chain(start: int) -> int:
    return add(add(add(start), 10), b=100)


a_chain = Case("a chain hands every value on", chain, inputs={"start": 0}, result=111)


@workflow
def diamond(start: int) -> int:
    top = add(start)
    return add(add(top, 10), add(top, 100))


a_diamond = Case(
    "a diamond joins what its branches made of one value",
    diamond,
    inputs={"start": 0},
    result=112,
    phases={"add": "Succeeded", "add-2": "Succeeded", "add-3": "Succeeded", "add-4": "Succeeded"},
)


def chain_of(steps: int) -> Any:
    @workflow
    def long_chain(start: int) -> int:
        value = start
        for _ in range(steps):
            value = add(value)
        return value

    return long_chain


@story("a chain may be long: 1,000 steps where one costs little")
def a_long_chain(backend: Any) -> None:
    run = backend.run(chain_of(backend.long), {"start": 0})
    assert run.result == backend.long
    assert phase_of(run, f"add-{backend.long}") == "Succeeded"


@workflow
def countdown(number: int) -> int:
    lower = add(number, -1)
    with when(lower > 0):
        rest = countdown(lower)
    return choose(lower > 0, rest, lower)


@story("a workflow calls itself under a condition, as deep as a value says: 50 where a step costs little")
def recursion(backend: Any) -> None:
    depth = min(DEEP, backend.long)
    run = backend.run(countdown, {"number": depth})
    assert run.result == 0
    assert phase_of(run, "/".join(["countdown"] * (depth - 1) + ["add"])) == "Succeeded"
    assert phase_of(run, "/".join(["countdown"] * depth)) == "Skipped"


@workflow
def endless(number: int) -> int:
    return endless(add(number))


unguarded_recursion = Refusal(
    "a workflow that calls itself without a condition is refused", endless, inputs={"number": 1}, says=("endless",)
)


class Ends(NamedTuple):
    low: int
    high: int


class Spread(TypedDict):
    width: int
    middle: float


@dataclass(frozen=True)
class Label:
    name: str
    size: int = 0


@op
def ends(numbers: list[int]) -> Ends:
    return Ends(min(numbers), max(numbers))


@op
def spread(low: int, high: int) -> Spread:
    return {"width": high - low, "middle": (low + high) / 2}


@op
def label(spread: Spread) -> Label:
    return Label(f"{spread['width']} around {spread['middle']}", spread["width"])


@op
def sentence(name: str, size: int) -> str:
    return f"{name}, {size}"


@workflow
def several(numbers: list[int]) -> str:
    found = ends(numbers)
    made = label(spread(found.low, found.high))
    return sentence(made.name, made.size)


several_outputs = Case(
    "an op gives several outputs, each used by its name",
    several,
    inputs={"numbers": [3, 9, 5]},
    result="6 around 6.0, 6",
)


@workflow
def unpacking(numbers: list[int]) -> Spread:
    low, high = ends(numbers)
    return spread(low, high)


unpacked = Case(
    "several outputs are unpacked like a tuple",
    unpacking,
    inputs={"numbers": [3, 9]},
    result={"width": 6, "middle": 6.0},
)


@workflow
def whole_records(numbers: list[int]) -> Label:
    return label(spread(*ends(numbers)))


a_record = Case(
    "a dataclass comes out as what it was", whole_records, inputs={"numbers": [1, 2]}, result=Label("1 around 1.5", 1)
)


@workflow
def inner(numbers: list[int]) -> Ends:
    low, high = ends(numbers)
    return Ends(add(low), add(high))


@workflow
def middle(numbers: list[int]) -> Ends:
    return inner([inner(numbers).low, 7])


@workflow
def outer(numbers: list[int]) -> int:
    found = middle(numbers)
    return add(found.low, found.high)


sub_workflows = Case(
    "a sub-workflow in a sub-workflow gives its outputs on",
    outer,
    inputs={"numbers": [1, 5]},
    result=11,
    phases={"middle/inner/ends": "Succeeded", "middle/inner-2/add-2": "Succeeded", "middle": "Succeeded"},
)


@workflow
def built(start: int) -> dict[str, list[int]]:
    value = add(start)
    return {"once": [value], "twice": [value, value, start, 5]}


built_result = Case(
    "a result is built of several nodes' outputs, inputs and constants",
    built,
    inputs={"start": 1},
    result={"once": [2], "twice": [2, 2, 1, 5]},
)


@workflow
def nothing_to_do(x: int, y: str = "y") -> tuple[int, str]:
    return x, y


no_nodes = Case("a workflow without nodes gives its inputs back", nothing_to_do, inputs={"x": 3}, result=(3, "y"))


@op
def described(name: str = "nobody", age: int | None = None, tags: tuple[str, ...] = ()) -> str:
    return f"{name} {age} {len(tags)}"


@workflow
def with_defaults(name: str = "someone", age: int | None = None) -> list[str]:
    return [described(), described(name), described(name, age=age), described(tags=("a", "b"))]


defaults = Case(
    "inputs that are not given take their defaults, of ops and of workflows",
    with_defaults,
    result=["nobody None 0", "someone None 0", "someone None 0", "nobody None 2"],
)
optional_given = Case(
    "an optional input that is given arrives",
    with_defaults,
    inputs={"name": "Ann", "age": 7},
    result=["nobody None 0", "Ann None 0", "Ann 7 0", "nobody None 2"],
)


@op
def maybe(x: int | None) -> str:
    return "absent" if x is None else str(x)


@workflow
def optional(x: int | None = None) -> str:
    return maybe(x)


optional_absent = Case("an optional input that is absent is None", optional, result="absent")


@op
def silent(x: int) -> None:
    print(x)


@op
def constant() -> int:
    return 7


@workflow
def no_values() -> int:
    done = silent(constant())
    return constant.options(after=done)()


without_values = Case(
    "ops without inputs or without an output are nodes like others",
    no_values,
    result=7,
    phases={"silent": "Succeeded", "constant-2": "Succeeded"},
    check=lambda run: ordered(run, "silent", "constant-2"),
)


def ordered(run, first: str, second: str) -> None:  # type: ignore[no-untyped-def]
    before, after = run.tasks(first)[0], run.tasks(second)[0]
    assert before.started + before.seconds <= after.started + 1e-3


one_op = Case("an op is run on its own as a workflow of one node", add, inputs={"a": 1, "b": 2}, result=3)


@workflow
def named() -> list[int]:
    return [add.options(name="first")(1), add.options(name="second")(2), add(3)]


names = Case(
    "a node has the name that its options give it",
    named,
    result=[2, 3, 4],
    phases={"first": "Succeeded", "second": "Succeeded", "add": "Succeeded"},
)


@op
def echo(value: object) -> object:
    return value


@workflow
def expressions(x: int, numbers: list[int], table: dict[str, int]) -> list[object]:
    y = add(x)
    return [
        y + 1, 2 * y, y - 10, y / 2, y // 2, -y % 5, y**2, y == 4, y != 4, y < 4, y >= 4, -y,
        numbers[-1], table["a"], length(numbers), contains(numbers, y), sequence(y),
        text("{y} of {x}", y=y, x=x), choose(y > 3, "more", "less"),
    ]  # fmt: skip


operators = Case(
    "operators on outputs mean what they mean in Python",
    expressions,
    inputs={"x": 3, "numbers": [1, 4, 9], "table": {"a": 5}},
    result=[
        5,
        8,
        -6,
        2.0,
        2,
        1,
        16,
        True,
        False,
        False,
        True,
        -4,
        9,
        5,
        3,
        True,
        [0, 1, 2, 3],
        "4 of 3",
        "more",
    ],
)  # fmt: skip


@workflow
def misspelt(x: int) -> int:
    return add(add(x, c=2), b="two") + total([1, "2"])  # type: ignore[call-arg,arg-type,list-item]


mistakes = Refusal(
    "all mistakes are told together, with their lines, before anything runs",
    misspelt,
    inputs={"x": 1},
    says=("graphs.py:", "'c'", "graphs.py:", "int", "graphs.py:", "str"),
    problems=3,
)
