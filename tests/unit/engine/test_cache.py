"""The cache gives what a run would have made, or nothing; and whatever becomes of its file, the run goes on."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, random, sys
from pathlib import Path
from sciflow import command, context, op, workflow

def helper(x): return x * 1
TABLE = {"f": helper}

@op(cache=True)
def draw(x: float) -> tuple[int, float]: return context().seed, random.random()
@op(cache=True)
def relax(x: float) -> float:
    context().flag("not converged")
    context().record(version="6.3")
    return x
@op(cache=True)
def by_table(n: int) -> int: return TABLE["f"](n)
@op(cache=True)
def own_names(x: int) -> int:
    total = x + 1
    return total
@op(cache=True)
def of_element(el: str) -> str:
    context().needs(potential="of " + el)
    return el
@op(cache=True)
def square(x: float) -> float: return x * x
@op(cache=True)
def long_text(x: float) -> str: return "a" * 5000 + str(x)
@op(cache=True)
def total(v: list[float]) -> float: return sum(v)
@op(cache=True)
def lengths(v: list[str]) -> list[int]: return list(map(len, v))
@command("echo", "ONE", "{word}", cache=True)
def said(word: str) -> str: ...

@workflow
def draws(xs: list[float]) -> list[tuple[int, float]]: return draw.map(x=xs)
@workflow
def of_elements(xs: list[str]) -> list[str]: return of_element.map(el=xs)
@workflow
def sums(xs: list[float]) -> float: return total(square.map(x=xs))
@workflow
def whole(xs: list[float]) -> float: return total(xs)
@workflow
def texts(xs: list[float]) -> list[int]: return lengths(long_text.map(x=xs))

if __name__ == "__main__":
    x = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    what, *args = json.loads(sys.argv[1])
    target = globals()[what].options(runs="runs", progress=False)
    planned = {s.path: s.cached for s in target.plan(*args).steps}
    made = sorted(map(str, Path("runs").rglob("*"))) if "plan" in sys.argv else []
    run = target.run(*args)
    tasks = run.tasks()
    print(json.dumps({
        "result": run.result, "phase": run.phase, "cached": [t.cached for t in tasks], "flags": [t.flag for t in tasks],
        "facts": [t.facts for t in tasks], "flagged": sum(s.flagged for s in run.snapshot().steps),
        "planned": planned, "steps": {s.path: s.cached for s in run.snapshot().steps}, "made": made,
    }, default=list))
"""


class Scripts:
    """Runs a script in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "s.py").write_text(SCRIPT)

    def edit(self, before: str, after: str) -> None:
        path = self.folder / "s.py"
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def __call__(self, *what: object, argv: tuple[str, ...] = ()) -> Any:
        done = subprocess.run(
            [sys.executable, "s.py", json.dumps(what), *argv],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        self.stderr = done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def run(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


def test_equal_inputs_have_equal_seeds_so_that_the_cache_changes_no_result(run: Scripts) -> None:
    first = run("draws", [1.0, 1.0, 2.0])
    again = run("draws", [2.0, 1.0])
    assert first["result"][0] == first["result"][1] != first["result"][2]
    assert again["cached"] == [True, True]
    assert again["result"] == [first["result"][2], first["result"][0]]


def test_flags_and_facts_come_back_from_the_cache_and_are_counted(run: Scripts) -> None:
    for cached in (False, True):
        told = run("relax", 1.0)
        assert (told["cached"], told["flags"], told["facts"], told["flagged"]) == (
            [cached],
            ["not converged"],
            [{"version": "6.3"}],
            1,
        )


def test_an_edit_of_a_function_in_a_table_is_seen(run: Scripts) -> None:
    assert run("by_table", 3)["result"] == 3
    run.edit("x * 1", "x * 100")
    assert run("by_table", 3)["result"] == 300


def test_a_global_with_the_name_of_a_parameter_is_no_part_of_the_code(run: Scripts) -> None:
    assert [run("own_names", 1, argv=(number,))["cached"] for number in ("1", "2")] == [[False], [True]]


def test_an_edit_of_a_command_is_seen(run: Scripts) -> None:
    assert "ONE" in run("said", "a")["result"]
    run.edit("ONE", "TWO")
    assert "TWO" in run("said", "a")["result"]


def test_needs_that_depend_on_the_input_do_not_contradict_each_other(run: Scripts) -> None:
    run("of_elements", ["Cu", "Ag", "Au"])
    assert run("of_elements", ["Cu", "Ag", "Au"])["cached"] == [True, True, True]


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("whole", [i + 0.5 for i in range(2000)]),
        ("sums", [i + 0.5 for i in range(2000)]),
        ("texts", [1.0, 2.0]),
        ("texts", list(map(float, range(60)))),
        ("sums", [1e-5, 3e20]),
    ],
    ids=["long input", "long gather", "long elements", "long elements of a long list", "exponents"],
)
def test_plan_and_run_find_what_is_cached_however_long_it_is(run: Scripts, what: str, values: list[float]) -> None:
    run(what, values)
    again = run(what, values)
    assert all(again["cached"])
    assert again["planned"] == again["steps"]


def test_a_plan_makes_nothing(run: Scripts) -> None:
    assert run("square", 1.0, argv=("0", "plan"))["made"] == []


def test_a_cache_that_somebody_holds_does_not_end_a_run(run: Scripts) -> None:
    run("square", 1.0)
    db = sqlite3.connect(run.folder / "runs" / "cache.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    told = run("square", 2.0)
    db.execute("ROLLBACK")
    db.close()
    assert told["phase"] == "Succeeded"
    assert run.stderr.count("the cache") == 1
    assert run("square", 1.0)["cached"] == [True]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_cache_that_is_damaged_does_not_end_a_run(run: Scripts, content: bytes) -> None:
    (run.folder / "runs").mkdir()
    (run.folder / "runs" / "cache.db").write_bytes(content)
    assert run("square", 2.0)["phase"] == "Succeeded"
    assert "is not used" in run.stderr
