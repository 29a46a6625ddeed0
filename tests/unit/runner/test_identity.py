# ruff: noqa: E501  lines of the small programs in here, and of tables
"""The identity of an op changes with what it computes, and with nothing else."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sciflow.runner.identity import identity

OPS = """
    import math
    import numpy as np
    import helpers
    from helpers import scaled as times, Table
    from sciflow.runner.failures import OpError

    LIMIT = 3
    TABLE = {"Cu": [3.6]}
    UNUSED = 1

    class Base:
        def value(self):
            return 1

    class Model(Base):
        '''A model.'''
        factor = LIMIT

        def value(self):
            return super().value() + inner()

    def inner():
        return 7

    def other():
        return 8

    def f(x: int) -> float:
        '''Doc.'''
        # a comment
        model = Model()
        return times(x) + helpers.deep.shift(TABLE["Cu"][0]) + math.pi + np.pi + model.value() + Table().n

    def lazy():
        from late import thing
        return thing()

    def outer(n):
        def made(x):
            return x + n + inner()
        return made

    closure = outer(5)
    square = lambda x: x * x
"""
HELPERS = """
    import deep
    def scaled(x):
        return x * 2
    class Table:
        n = 4
"""
FILES = {
    "ops": OPS,
    "helpers": HELPERS,
    "deep": "def shift(x):\n    return x + 1\n",
    "late": "def thing():\n    return 1\n",
}

Parts = Callable[..., dict[str, str]]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """`parts("f", ops=(old, new))`: the identity of a function after an edit of one file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in FILES:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def make(name: str, **edits: tuple[str, str]) -> dict[str, str]:
        forget()
        for file, source in FILES.items():
            old, new = edits.get(file, ("", ""))
            text = textwrap.dedent(source)
            assert old in text
            (tmp_path / f"{file}.py").write_text(text.replace(old, new) if old else text)
        return identity(getattr(importlib.import_module("ops"), name))

    yield make
    forget()


def test_all_of_the_users_own_code_that_is_reached_counts(parts: Parts) -> None:
    assert sorted(parts("f")) == [
        "deep:shift", "helpers:Table", "helpers:scaled", "ops:Base", "ops:LIMIT", "ops:Model", "ops:TABLE", "ops:f", "ops:inner",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        ({"ops": ("return 7", "return 9")}, "ops:inner"),
        ({"ops": ("LIMIT = 3", "LIMIT = 4")}, "ops:LIMIT"),
        ({"ops": ("[3.6]", "[3.7]")}, "ops:TABLE"),
        ({"ops": ("+ math.pi", "- math.pi")}, "ops:f"),
        ({"ops": ("        return 1\n", "        return 2\n")}, "ops:Base"),
        ({"helpers": ("x * 2", "x * 3")}, "helpers:scaled"),
        ({"helpers": ("n = 4", "n = 5")}, "helpers:Table"),
        ({"deep": ("x + 1", "x + 2")}, "deep:shift"),
    ],
    ids=str,
)
def test_an_edit_changes_the_part_that_it_is_in(parts: Parts, edit: dict[str, tuple[str, str]], part: str) -> None:
    before, after = parts("f"), parts("f", **edit)
    assert {name for name in before if after[name] != before[name]} == {part}


@pytest.mark.parametrize(
    "edit",
    [
        {"ops": ("# a comment", "# another\n\n")},
        {"ops": ("'''Doc.'''", "'''Another text.'''")},
        {"ops": ("    '''Doc.'''\n", "")},
        {"ops": ("'''A model.'''", "")},
        {"ops": ("return 8", "return 9")},
        {"ops": ("UNUSED = 1", "UNUSED = 2")},
        {"ops": ("model = Model()", "model   =   (  Model( ) )")},
        {"helpers": ("    return x * 2", "    return (x *\n        2)")},
    ],
    ids=str,
)
def test_what_changes_nothing_does_not_count(parts: Parts, edit: dict[str, tuple[str, str]]) -> None:
    assert parts("f") == parts("f", **edit)


def test_imports_inside_a_function_are_followed(parts: Parts) -> None:
    before = parts("lazy")
    assert before != parts("lazy", late=("return 1", "return 2"))


def test_closures_and_lambdas_count_with_what_they_hold(parts: Parts) -> None:
    before = parts("closure")
    assert set(before) == {"ops:outer.<locals>.made", "ops:outer.<locals>.made.n", "ops:inner"}
    assert before != parts("closure", ops=("outer(5)", "outer(6)"))
    assert before != parts("closure", ops=("x + n", "x - n"))
    assert parts("square") != parts("square", ops=("x * x", "x + x"))


def test_source_that_was_edited_after_it_was_loaded_is_not_taken_for_the_code(parts: Parts, tmp_path: Path) -> None:
    loaded = parts("f")
    function = sys.modules["ops"].f
    path = tmp_path / "ops.py"
    path.write_text(path.read_text().replace("+ math.pi", "- math.pi"))
    assert identity(function)["ops:f"] == identity(function)["ops:f"] != loaded["ops:f"]
    edited = parts("f", ops=("+ math.pi", "- math.pi"))
    path.write_text(path.read_text().replace("- math.pi", "+ math.pi"))
    assert identity(function)["ops:f"] != edited["ops:f"]


def test_code_without_source_has_an_identity() -> None:
    scope: dict[str, object] = {"__name__": "nowhere"}
    exec("def f(x):\n    'doc'\n    return x + 1", scope)
    assert list(identity(scope["f"])) == ["nowhere:f"]
