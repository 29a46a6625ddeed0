"""Failures: what they stop and what not, what may be missing, how a run tells of them."""

from __future__ import annotations

from sciflow import op, workflow
from tests.conformance.table import Case, Refusal, only, phases_of, story


@op
def picky(x: int) -> int:
    """Refuses multiples of three."""
    print(f"looking at {x}")
    if x % 3 == 0:
        raise ValueError(f"{x} is a multiple of three")
    return x


@op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@op
def known(numbers: list[int | None]) -> list[int | None]:
    return numbers


@op
def after(x: int) -> int:
    return x + 1


@workflow
def all_needed(numbers: list[int]) -> int:
    return after(total(picky.map(x=numbers)))


a_failed_slice = Case(
    "a failed slice fails its fan, and what needs the fan is omitted",
    all_needed,
    inputs={"numbers": [1, 2, 3, 4]},
    phase="Failed",
    phases={
        "picky/1": "Succeeded", "picky/2": "Failed", "picky/3": "Succeeded", "total": "Omitted", "after": "Omitted",
    },
    failed=("picky/2",),
    report=("picky/2", "ValueError", "3 is a multiple of three"),
)  # fmt: skip


@workflow
def branches(x: int) -> list[int]:
    bad = picky(x)
    good = after.options(name="good")(x)
    return [after.options(name="of_bad")(bad), after.options(name="of_good")(good), total([bad, good])]


only_dependants = Case(
    "a failure omits what depends on it and nothing else",
    branches,
    inputs={"x": 3},
    phase="Failed",
    phases={"picky": "Failed", "good": "Succeeded", "of_bad": "Omitted", "of_good": "Succeeded", "total": "Omitted"},
    failed=("picky",),
    report=("picky", "ValueError", "picky"),
)


@workflow
def enough_by_count(numbers: list[int]) -> list[int | None]:
    return known(picky.options(min_success=2).map(x=numbers))


@workflow
def enough_by_ratio(numbers: list[int]) -> list[int | None]:
    return known(picky.options(min_success=0.7).map(x=numbers))


count_met = Case(
    "enough successes by count leave None in the place of a failed slice",
    enough_by_count,
    inputs={"numbers": [1, 3, 2, 6]},
    result=[1, None, 2, None],
    phases={"picky/1": "Failed", "known": "Succeeded"},
    failed=("picky/1", "picky/3"),
)
count_not_met = Case(
    "too few successes by count fail the fan",
    enough_by_count,
    inputs={"numbers": [1, 3, 6, 9]},
    phase="Failed",
    phases={"known": "Omitted"},
    failed=("picky/1", "picky/2", "picky/3"),
)
ratio_met = Case(
    "exactly the ratio of successes is enough",
    enough_by_ratio,
    inputs={"numbers": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]},
    result=[1, 2, None, 4, 5, None, 7, 8, None, 10],
    failed=("picky/2", "picky/5", "picky/8"),
)
ratio_not_met = Case(
    "a ratio of successes just missed fails the fan",
    enough_by_ratio,
    inputs={"numbers": [1, 2, 3]},
    phase="Failed",
    phases={"known": "Omitted"},
    failed=("picky/2",),
)
ratio_of_nothing = Case(
    "a ratio of an empty fan is met", enough_by_ratio, inputs={"numbers": []}, result=[], phases={"known": "Succeeded"}
)


@workflow
def gaps_unforeseen(numbers: list[int]) -> int:
    return total(picky.options(min_success=0.5).map(x=numbers))


gaps_refused = Refusal(
    "a gather over slices that may be missing is refused where its type does not say so",
    gaps_unforeseen,
    inputs={"numbers": [1]},
    says=("numbers of total", "list[int]", "list[int | None]"),
)


@workflow
def checked(x: int) -> int:
    return after(picky(x))


@workflow
def tolerant(numbers: list[int]) -> list[int | None]:
    return known(checked.options(min_success=1).map(x=numbers))


sub_graph_gaps = Case(
    "None stands in the place of a failed slice of a fan over a sub-graph",
    tolerant,
    inputs={"numbers": [3, 1]},
    result=[None, 2],
    phases={"checked/0/picky": "Failed", "checked/0/after": "Omitted", "checked/0": "Failed", "checked/1": "Succeeded"},
    failed=("checked/0", "checked/0/picky"),
)


@workflow
def nested_failure(numbers: list[int]) -> list[int]:
    return checked.map(x=numbers)


nested_report = Case(
    "the outcome names the innermost task that failed",
    nested_failure,
    inputs={"numbers": [1, 3]},
    phase="Failed",
    failed=("checked/1", "checked/1/picky"),
    report=("checked/1/picky", "ValueError"),
)


def _helper(x: int) -> int:
    return 10 // (x - x)


@op
def talkative(x: int) -> int:
    for i in range(40):
        print(f"line {i} of the log")
    return _helper(x)


def _cut(run) -> None:  # type: ignore[no-untyped-def]
    (error,) = run.errors
    assert error.type == "builtins:ZeroDivisionError"
    assert "_helper" in error.traceback
    assert "10 // (x - x)" in error.traceback
    assert "sciflow/runner" not in error.traceback
    assert "line 3 of the log" not in run.report()


told = Case(
    "the outcome tells the exception, cut to the user's frames, the inputs and the end of the log",
    talkative,
    inputs={"x": 17},
    phase="Failed",
    failed=("talkative",),
    report=("ZeroDivisionError", "x = 17", "talkative", "_helper", "line 39 of the log", "retry"),
    check=_cut,
)


@op
def liar(what: str) -> list[float]:
    return {"type": 5, "nested": [1.0, "two"], "none": None, "right": [1.0, 2]}[what]  # type: ignore[return-value]


@workflow
def lies() -> list[list[float] | None]:
    return gathered(liar.options(min_success=1).map(what=["type", "nested", "none", "right"]))


@op
def gathered(lists: list[list[float] | None]) -> list[list[float] | None]:
    return lists


def _told_lies(run) -> None:  # type: ignore[no-untyped-def]
    said = [only(run, f"liar/{i}").error.message for i in range(3)]
    assert "expected list[float], found int 5" in said[0]
    assert "[1]" in said[1]
    assert "expected float, found str 'two'" in said[1]
    assert "found None" in said[2]


wrong_types = Case(
    "an output is checked against its type, elements too",
    lies,
    result=[None, None, None, [1.0, 2]],
    failed=("liar/0", "liar/1", "liar/2"),
    check=_told_lies,
)


@op
def anything(x: int) -> object:
    return "text" if x else 1


@op
def wants_number(x: int) -> int:
    return x


@workflow
def unchecked(x: int) -> int:
    return wants_number(anything(x))  # type: ignore[arg-type]


wrong_input = Case(
    "an input is checked against its type before the op runs",
    unchecked,
    inputs={"x": 1},
    phase="Failed",
    failed=("wants_number",),
    phases={"anything": "Succeeded"},
    report=("wants_number", "expected int, found str 'text'"),
)
wrong_argument = Refusal(
    "arguments of a run are checked before anything runs",
    all_needed,
    inputs={"numbers": [1, "2"], "others": 3},
    says=("others", "numbers", "expected", "int", "found", "str"),
    problems=2,
)


@workflow
def overdrawn(x: int) -> int:
    return after(10 // after(x))


no_value = Case(
    "an input whose expression has no value fails its node and says why",
    overdrawn,
    inputs={"x": -1},
    phase="Failed",
    failed=("after-2",),
    report=("after-2", "ZeroDivisionError"),
)


@story("failures come in the order of time, each with its slice, in tasks, errors and table alike")
def failures_told(backend) -> None:  # type: ignore[no-untyped-def]
    run = backend.run(enough_by_count, {"numbers": [3, 1, 6, 2]})
    assert phases_of(run, "picky") == ["Failed", "Succeeded", "Failed", "Succeeded"]
    assert {task.slice for task in run.tasks("picky", phase="Failed")} == {0, 2}
    assert {error.message for error in run.errors} == {"3 is a multiple of three", "6 is a multiple of three"}
    table = run.table("picky")
    assert list(table["phase"]) == ["Failed", "Succeeded", "Failed", "Succeeded"]
    assert list(table["x"]) == [3, 1, 6, 2]
