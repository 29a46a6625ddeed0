"""Every mistake is reported before anything runs, with its line, what was expected, what was found and what to do."""

import linecache
from collections.abc import Callable

import pytest

from sciflow import InvalidWorkflow
from sciflow.errors import Problem

from . import mistakes

ALL = {function.__name__: function for function in mistakes.CASES}


def problems(name: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidWorkflow) as caught:
        ALL[name]()
    return caught.value.problems


def line(problem: Problem) -> str:
    """The user's line that a problem names."""
    file, _, number = problem.where.rpartition(":")
    return linecache.getline(file, int(number)).strip()


def test_every_message_is_as_it_was_read_and_approved(
    golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    pieces = []
    for name in ALL:
        pieces.append(f"== {name.replace('_', ' ')}")
        for problem in problems(name):
            assert problem.fix, problem
            text = str(problem).removeprefix(f"{problem.where}: ").replace(mistakes.__file__.rpartition("/")[0], "HERE")
            text = text.replace(mistakes.__file__.lstrip("/").rpartition("/")[0], "HERE")
            pieces.append(f"> {line(problem)}\n{text}")
        pieces.append("")
    golden("mistakes.txt", "\n".join(pieces))


@pytest.mark.parametrize("name", ALL)
def test_every_problem_names_a_line_of_the_users(name: str) -> None:
    for problem in problems(name):
        assert problem.where.rpartition(":")[0].endswith("mistakes.py"), problem


def test_problems_come_in_the_order_of_the_lines() -> None:
    numbers = [int(p.where.rpartition(":")[2]) for p in problems("keys")]
    assert numbers == sorted(numbers)


def test_what_is_right_beside_what_is_wrong_is_not_reported() -> None:
    assert not [p for p in problems("outputs_that_may_be_absent") if "# right" in line(p)]


def test_a_line_that_cannot_be_traced_further_comes_with_what_was_wrong_before() -> None:
    assert [line(p) for p in problems("a_condition_of_python")] == ["energy(1.0, bogus=2)", "if one() > 1:"]
