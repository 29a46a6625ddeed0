"""Values of typed inputs from text and JSON."""

from __future__ import annotations

import datetime as dt
import enum
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from sciflow.cli.literals import value_of
from sciflow.core.from_json import Unfit
from sciflow.core.ports import NONE, Type, list_of, optional

INT, FLOAT, STR, BOOL, PATH = (Type(name=name) for name in ("int", "float", "str", "bool", "path"))


class Mode(enum.Enum):
    FAST = "fast"


class Cell(NamedTuple):
    a: float
    file: Path


@pytest.fixture(autouse=True)
def users_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("users")
    module.Mode, module.Cell = Mode, Cell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "users", module)


MODE = Type(name="object", of="users:Mode", kind="enum")
CELL = Type(name="object", of="users:Cell", kind="namedtuple", fields={"a": FLOAT, "file": PATH})
DATE = Type(name="object", of="datetime:date", kind="class")


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("3", INT, 3),
        ("3", FLOAT, 3.0),
        ("3", STR, "3"),
        ("@home", STR, "@home"),
        ("true", BOOL, True),
        ("a b.cif", PATH, Path("a b.cif")),
        ("a.cif", optional(PATH), Path("a.cif")),
        ("1.5", optional(FLOAT), 1.5),
        ("[1, 2]", list_of(FLOAT), [1.0, 2.0]),
        ('["a", "b"]', list_of(PATH), [Path("a"), Path("b")]),
        ('{"cu": "cu.cif"}', Type(name="dict", args=(STR, PATH)), {"cu": Path("cu.cif")}),
        ("[1, 2, 3]", Type(name="tuple", args=(INT,), variadic=True), (1, 2, 3)),
        ('[1, "x"]', Type(name="tuple", args=(INT, STR)), (1, "x")),
        ("[1, 1]", Type(name="set", args=(INT,)), {1}),
        ("fast", Type(name="literal", values=("fast", "slow")), "fast"),
        ("2", Type(name="literal", values=(1, 2)), 2),
        ("all", Type(name="union", args=(INT, STR)), "all"),
        ("7", Type(name="union", args=(INT, STR)), 7),
        ("FAST", MODE, Mode.FAST),
        ("fast", MODE, Mode.FAST),
        ('{"a": 3.6, "file": "x"}', CELL, Cell(3.6, Path("x"))),
        ("2026-01-31", DATE, dt.date(2026, 1, 31)),
        ("[1, {}]", Type(name="any"), [1, {}]),
    ],
)
def test_a_text_becomes_a_value_of_the_type(text: str, type_: Type, value: Any) -> None:
    found = value_of(text, type_)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "type_", "told"),
    [
        ("x", FLOAT, "expected float, as JSON; found 'x'"),
        ("true", INT, "expected int"),
        ("1.5", INT, "expected int, found 1.5"),
        ("[1, true]", list_of(FLOAT), "expected float"),
        ("[1]", Type(name="tuple", args=(INT, STR)), "expected tuple"),
        ("medium", Type(name="literal", values=("fast", "slow")), "expected one of 'fast', 'slow'"),
        ("MEDIUM", MODE, "expected one of FAST"),
        ('{"b": 1}', CELL, "Cell has no field b; it has a, file"),
        ('{"a": 1}', CELL, "no Cell can be made"),
        ("31.1.2026", DATE, "expected ISO 8601"),
        ("{}", Type(name="object", of="ase.atoms:Atoms", kind="class"), "let the workflow take a Path"),
        ("1", NONE, "expected None"),
    ],
)
def test_a_text_that_is_none_of_the_type_is_refused(text: str, type_: Type, told: str) -> None:
    with pytest.raises(Unfit) as caught:
        value_of(text, type_)
    assert told in str(caught.value)


def test_a_big_value_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text(str(list(range(1000))))
    assert value_of(f"@{tmp_path}/big.json", list_of(INT)) == list(range(1000))


def test_a_literal_that_names_a_member_of_an_enum_takes_its_name() -> None:
    type_ = Type(name="literal", values=({"$": "enum", "type": "users:Mode", "name": "FAST"}, "none"))
    assert value_of("FAST", type_) is Mode.FAST
    assert value_of("none", type_) == "none"
    with pytest.raises(Unfit, match="expected one of 'FAST', 'none', found 'SLOW'"):
        value_of("SLOW", type_)
