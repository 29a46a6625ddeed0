"""Fans: lists known before and during the run, side by side and crossed, nested, gathered in order."""

from __future__ import annotations

import time
from typing import NamedTuple

from sciflow import choose, length, op, workflow
from tests.conformance.table import Case, Refusal

MANY = 1000


@op
def double(x: int) -> int:
    return 2 * x


@op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@op
def up_to(count: int) -> list[int]:
    return list(range(count))


@op
def joined(a: str, b: int, c: str = "") -> str:
    return f"{a}{b}{c}"


@workflow
def constant_list() -> list[int]:
    return double.map(x=[3, 1, 2])


over_constants = Case(
    "a fan runs once per element of a constant list", constant_list, result=[6, 2, 4], counts={"double": 3}
)


@workflow
def over(numbers: list[int]) -> list[int]:
    return double.map(x=numbers)


over_input = Case("a fan runs over a list that is an input", over, inputs={"numbers": [5, 4]}, result=[10, 8])
over_one = Case(
    "a fan over a list of one has one slice and gives a list of one",
    over,
    inputs={"numbers": [5]},
    result=[10],
    phases={"double/0": "Succeeded"},
)
over_nothing = Case(
    "a fan over an empty list runs nothing and gives an empty list",
    over,
    inputs={"numbers": []},
    result=[],
    phases={"double": "Succeeded"},
    counts={"double": 1},
)


@workflow
def known_later(count: int) -> int:
    return total(double.map(x=up_to(count)))


over_output = Case(
    "a fan runs over a list that is known only while running", known_later, inputs={"count": 4}, result=12
)
over_empty_output = Case(
    "a fan over a list that turns out empty is gathered as an empty list",
    known_later,
    inputs={"count": 0},
    result=0,
    phases={"total": "Succeeded"},
)
over_many = Case(
    "a fan has 1,000 slices",
    known_later,
    inputs={"count": MANY},
    result=MANY * (MANY - 1),
    counts={"double": MANY},
    phases={"double/0": "Succeeded", f"double/{MANY - 1}": "Succeeded"},
)


@workflow
def side_by_side(letters: list[str]) -> list[str]:
    return joined.partial(c="!").map(a=letters, b=[1, 2, 3])


zipped = Case(
    "several lists are taken side by side, with a value that all slices share",
    side_by_side,
    inputs={"letters": ["a", "b", "c"]},
    result=["a1!", "b2!", "c3!"],
)


@workflow
def unequal() -> list[str]:
    return joined.map(a=["a", "b"], b=[1, 2, 3])


unequal_known = Refusal(
    "constant lists of unequal length are refused, by their names",
    unequal,
    says=("unequal length", "a has 2", "b has 3"),
)
unequal_later = Case(
    "lists that turn out of unequal length fail the fan, by their names",
    side_by_side,
    inputs={"letters": ["a", "b"]},
    phase="Failed",
    failed=("joined",),
    report=("a has 2", "b has 3"),
    counts={"joined": 1},
)


@workflow
def not_a_list(number: int, table: dict[str, int]) -> list[list[int]]:
    return [double.map(x=number), double.map(x=table)]  # type: ignore[arg-type]


over_no_list = Refusal(
    "a fan over what is no list is refused",
    not_a_list,
    inputs={"number": 1, "table": {}},
    says=("double is mapped over x, which is no list", "table: dict"),
    problems=2,
)


@workflow
def wrong_unit(lists: list[list[int]]) -> list[int]:
    return double.map(x=lists)


over_wrong_elements = Refusal(
    "a fan over a list whose elements do not fit is refused",
    wrong_unit,
    inputs={"lists": [[1]]},
    says=("x of double", "int", "list[int]"),
)


@workflow
def crossed(letters: list[str], numbers: list[int]) -> list[str]:
    return joined.partial(c=".").product(a=letters, b=numbers)


product = Case(
    "a product runs every combination, the last list fastest",
    crossed,
    inputs={"letters": ["a", "b"], "numbers": [1, 2, 3]},
    result=["a1.", "a2.", "a3.", "b1.", "b2.", "b3."],
    phases={"joined/5": "Succeeded"},
)
product_of_nothing = Case(
    "a product with an empty list runs nothing",
    crossed,
    inputs={"letters": ["a", "b"], "numbers": []},
    result=[],
    phases={"joined": "Succeeded"},
    counts={"joined": 1},
)


@workflow
def row(start: int, width: int) -> list[int]:
    return double.map(x=[start, width])


@workflow
def ragged(count: int) -> list[int]:
    return double.map(x=up_to(count))


@workflow
def inside(counts: list[int]) -> list[list[int]]:
    return ragged.map(count=counts)


nested = Case(
    "a fan inside a fan has lists of its own length in every slice",
    inside,
    inputs={"counts": [2, 0, 3]},
    result=[[0, 2], [], [0, 2, 4]],
    phases={"ragged/0": "Succeeded", "ragged/1/double": "Succeeded", "ragged/2/double/1": "Succeeded"},
    counts={"ragged/2/double": 3, "ragged/double": 6},
)


@workflow
def deeper(tables: list[list[int]]) -> list[list[list[int]]]:
    return inside.map(counts=tables)


nested_twice = Case(
    "fans nest three deep",
    deeper,
    inputs={"tables": [[1, 2], [], [3]]},
    result=[[[0], [0, 2]], [], [[0, 2, 4]]],
    phases={"inside/0/ragged/1/double/1": "Succeeded"},
)


class Summary(NamedTuple):
    count: int
    sum: int


@workflow
def summary(count: int, factor: int = 1) -> Summary:
    doubled = double.map(x=up_to(count))
    return Summary(length(doubled), total(doubled) * factor)


@op
def largest(summaries: list[Summary]) -> Summary:
    return max(summaries, key=lambda s: s.sum)


@workflow
def sub_graphs(counts: list[int]) -> Summary:
    return largest(summary.partial(factor=10).map(count=counts))


over_sub_graph = Case(
    "a fan runs over a sub-graph that itself fans",
    sub_graphs,
    inputs={"counts": [3, 5, 1]},
    result=Summary(5, 200),
    phases={"summary/1/double/4": "Succeeded", "summary/2/total": "Succeeded"},
)


@workflow
def grid(counts: list[int]) -> list[Summary]:
    return summary.product(count=counts, factor=[1, 2])


sub_graph_product = Case(
    "a product runs over a sub-graph",
    grid,
    inputs={"counts": [2, 3]},
    result=[Summary(2, 2), Summary(2, 4), Summary(3, 6), Summary(3, 12)],
)


@op
def sleepy(index: int, seconds: float) -> int:
    time.sleep(seconds)
    return index


@workflow
def any_order() -> list[int]:
    return sleepy.options(chunk=1).map(index=[0, 1, 2, 3], seconds=[0.4, 0.0, 0.1, 0.0])


def _ended_out_of_order(run) -> None:  # type: ignore[no-untyped-def]
    ends = [task.started + task.seconds for task in run.tasks("sleepy")]
    assert ends != sorted(ends)


in_order = Case(
    "slices that end in any order are gathered in their own",
    any_order,
    result=[0, 1, 2, 3],
    check=_ended_out_of_order,
)


@workflow
def in_chunks(numbers: list[int]) -> list[int]:
    once = double.options(chunk=1).map(x=numbers)
    thrice = double.options(chunk=3).map(x=once)
    return double.options(chunk=100).map(x=thrice)


chunks = Case(
    "slices come out the same in jobs of any size",
    in_chunks,
    inputs={"numbers": list(range(7))},
    result=[8 * x for x in range(7)],
    counts={"double": 7, "double-2": 7, "double-3": 7},
)


@workflow
def picked(count: int) -> int:
    doubled = double.map(x=up_to(count))
    return choose(length(doubled) > 2, doubled[2] + doubled[-1], 0)


elements = Case("elements of a fan are picked by their place", picked, inputs={"count": 5}, result=12)


@op
def or_zero(x: int | None) -> int:
    return 0 if x is None else x


@workflow
def with_gaps(numbers: list[int | None]) -> list[int]:
    return or_zero.map(x=numbers)


gaps = Case("None is an element like others", with_gaps, inputs={"numbers": [1, None, 3]}, result=[1, 0, 3])


@workflow
def over_tuple() -> list[int]:
    return double.map(x=(1, 2))


tuples = Case("a fan runs over a tuple", over_tuple, result=[2, 4])
one_op_fanned = Case(
    "fans follow on one another",
    in_chunks,
    inputs={"numbers": [1]},
    result=[8],
    phases={"double-3/0": "Succeeded"},
)
