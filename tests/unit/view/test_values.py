"""Values in a line, as plain JSON, and amounts as people read them."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from sciflow.runner import codec
from sciflow.view.plain import plain
from sciflow.view.quantity import clock, duration, size
from sciflow.view.value import one_line


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}d", *numbers)).decode()


SCALAR = {"$": "scalar", "dtype": "<f8", "v": packed(-0.25)}
ARRAY = {"$": "ndarray", "dtype": "<f8", "shape": [2, 2], "order": "C", "v": packed(1, 2, 3, float("nan"))}
FIT = {"$": "record", "type": "eos:Fit", "kind": "namedtuple", "v": {"v0": 11.81234567, "b0": SCALAR}}
FILE = {"$": "artifact", "path": "tasks/relax/0/cu relaxed.cif", "kind": "file", "sha256": "x", "size": 12345}


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (None, "None"),
        (True, "True"),
        (0.1 + 0.2, "0.3"),
        ({"$": "float", "v": "-inf"}, "-inf"),
        ({"$": "int", "v": hex(10**30)}, str(10**30)),
        ({"$": "int", "v": hex(10**5000)}, "0x31e20801036510f3c5… (4,155 characters)"),
        ("plain", "plain"),
        (" a\nb", '" a\\nb"'),
        ("", '""'),
        ([1, 2.5, "x"], "[1, 2.5, x]"),
        (list(range(100)), "[0, 1, 2, 3, … 99] (100 elements)"),
        ({"$": "tuple", "v": [1, 2]}, "(1, 2)"),
        ({"a": 1, "b": [2]}, "{a: 1, b: [2]}"),
        ({"$": "dict", "v": [[1, "x"]]}, "{1: x}"),
        ({"$": "enum", "type": "m:Mode", "name": "FAST"}, "Mode.FAST"),
        ({"$": "enum", "type": "m:Access", "value": 3}, "Access(3)"),
        ({"$": "timedelta", "v": [1, 2, 0]}, "1 day, 0:00:02"),
        (SCALAR, "-0.25"),
        (ARRAY, "array of 2 × 2 float64"),
        ({"$": "datetime", "v": "2026-01-02T03:00:00"}, "2026-01-02T03:00:00"),
        (FIT, "Fit(v0=11.81235, b0=-0.25)"),
        (FILE, "cu relaxed.cif (12 kB)"),
        ({"$": "artifact", "path": "/data/in", "kind": "folder"}, "in/"),
        ({"$": "value", "file": "values/1", "at": 0, "size": 2_500_000, "sha256": ""}, "stored value (2.5 MB)"),
        ({"$": "pickle", "v": "AAAA", "python": "3.11"}, "pickled object (3 B)"),
        ({"$": "of a later version"}, "<of a later version>"),
    ],
)
def test_a_value_is_told_in_one_line(tree: Any, line: str) -> None:
    assert one_line(tree) == line


def test_atoms_are_told_by_their_formula() -> None:
    atoms = pytest.importorskip("ase").Atoms("Cu3AuH2C")
    assert one_line(codec.encode(atoms)) == "CH2AuCu3"


def test_a_long_value_is_cut_to_the_width() -> None:
    assert one_line("x" * 100, width=10) == "x" * 9 + "…"


def test_flags_put_together_and_ints_too_long_for_python_are_plain_json_too(tmp_path: Path) -> None:
    assert plain({"$": "enum", "type": "m:Access", "value": 3}, folder=tmp_path) == 3
    assert plain({"$": "int", "v": hex(10**5000)}, folder=tmp_path) == hex(10**5000)


@pytest.mark.parametrize("dtype", ["<f8", ">i4", "?", "<c16", "<U3"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0), (3, 2, 2)])
def test_arrays_are_nested_lists_of_all_their_elements(dtype: str, order: str, shape: Any, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    array = np.array(np.arange(np.prod(shape, dtype=int)).reshape(shape), dtype=dtype, order=order)
    expected = np.stack([array.real, array.imag], axis=-1) if dtype == "<c16" else array
    assert plain(codec.encode(array), folder=tmp_path) == expected.tolist()


def test_keys_that_would_become_the_same_stay_apart(tmp_path: Path) -> None:
    assert plain(codec.encode({1: "a", "x": "b"}), folder=tmp_path) == {"1": "a", "x": "b"}
    assert plain(codec.encode({1: "a", "1": "b"}), folder=tmp_path) == [[1, "a"], ["1", "b"]]


def test_plain_json_has_no_tags_and_is_valid(tmp_path: Path) -> None:
    tree = {
        "fit": FIT,
        "file": FILE,
        "array": ARRAY,
        "nan": {"$": "float", "v": "nan"},
        "pair": {"$": "tuple", "v": [1]},
    }
    found = plain(tree, folder=tmp_path)
    assert found == {
        "fit": {"v0": 11.81234567, "b0": -0.25},
        "file": str(tmp_path / "tasks/relax/0/cu relaxed.cif"),
        "array": [[1.0, 2.0], [3.0, "nan"]],
        "nan": "nan",
        "pair": [1],
    }
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.00 s"), (0.9996, "1.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.7, "1 min 00 s"), (3599.6, "1 h 00 min"),
     (7800, "2 h 10 min"), (4 * 86400 + 3 * 3600, "4 d 3 h")],
)  # fmt: skip
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (42, "42 s"), (185, "3:05"), (7800, "2:10:00")])
def test_a_clock_is_short(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (34e6, "34 MB"), (5e15, "5.0 PB")]
)
def test_a_size_has_decimal_units(amount: float, text: str) -> None:
    assert size(int(amount)) == text
