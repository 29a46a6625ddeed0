import csv
import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from ase.build import bulk

from sciflow_ops.aggregate import Group, batched, best_of, concat, gather_table, group_by_key, rank, reduce_by_key
from sciflow_ops.calculation import Calc
from sciflow_ops.relax import relax
from sciflow_ops.single_point import singlepoint

NAN = pytest.approx(math.nan, nan_ok=True)


class Spin(Enum):
    UP = 1


class Fit(NamedTuple):
    b0_GPa: float
    spin: Spin = Spin.UP


@dataclass
class Result:
    energy_eV: float
    fit: Fit
    grid: list[int]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lists_are_put_together_in_order_without_those_that_failed():
    assert concat([[1, 2], None, [], [3]]) == [1, 2, 3]


def test_a_list_is_cut_into_equal_groups():
    assert batched([1, 2, 3, 4, 5, 6], size=2) == [[1, 2], [3, 4], [5, 6]]
    assert batched([], size=3) == []
    assert concat(batched(list(range(12)), size=4)) == list(range(12))
    with pytest.raises(ValueError, match="5 items cannot be cut into groups of 2"):
        batched([1, 2, 3, 4, 5], size=2)


def test_values_are_grouped_by_key_in_order_of_appearance():
    assert group_by_key(["b", "a", "b"], [1, None, 3]) == {"b": [1, 3], "a": [None]}
    with pytest.raises(ValueError, match="2 keys and 1 values: one to one expected"):
        group_by_key(["a", "b"], [1])


def test_values_are_reduced_by_key_and_missing_ones_counted():
    keys = ["Cu", "Al", "Cu", "Cu", "Al", "Ni"]
    values = [1.0, 5.0, None, 3.0, math.nan, None]
    assert reduce_by_key(keys, values) == [Group("Cu", 2.0, 2, 1), Group("Al", 5.0, 1, 1), Group("Ni", NAN, 0, 1)]
    assert [g.value for g in reduce_by_key(keys, values, how="count")] == [2, 1, 0]
    assert [g.value for g in reduce_by_key(keys, values, how="sum")] == [4.0, 5.0, 0.0]
    assert [g.value for g in reduce_by_key(keys, values, how="max")] == [3.0, 5.0, NAN]
    assert [g.value for g in reduce_by_key(keys, values, how="stdev")] == [pytest.approx(math.sqrt(2)), NAN, NAN]


def test_reducing_in_two_steps_is_reducing_at_once():
    values = np.random.default_rng(0).normal(size=60).tolist()
    parts = [reduce_by_key(["all"] * len(part), part, how="sum")[0].value for part in batched(values, size=10)]
    (whole,) = reduce_by_key(["all"] * 60, values, how="sum")
    assert math.fsum(parts) == pytest.approx(whole.value, abs=1e-12)


def test_the_best_candidate_is_the_first_of_the_best_scores():
    best = best_of(["a", "b", "c", "d"], [None, 2.0, 1.0, 1.0])
    assert (best.item, best.score, best.place) == ("c", 1.0, 2)
    assert best_of(["a", "b"], [1.0, 2.0], order="highest").item == "b"
    assert [entry.item for entry in rank(["a", "b", "c"], [3.0, math.nan, 1.0])] == ["c", "a"]
    assert [entry.place for entry in rank("abcd", [4, 2, 3, 1], count=2)] == [3, 1]
    with pytest.raises(ValueError, match="none of the 2 candidates has a score"):
        best_of(["a", "b"], [None, math.nan])


def test_a_table_has_one_row_per_input_in_order_with_failures_and_reasons():
    results = [Result(1.5, Fit(77.0), [1]), None, Result(2.5, Fit(140.0), [2])]
    table = gather_table(["Al", "Fe", "Cu"], results, errors=[None, "no parameters for Fe", None])
    assert [row["key"] for row in table.rows] == ["Al", "Fe", "Cu"]
    assert [row["status"] for row in table.rows] == ["succeeded", "failed", "succeeded"]
    assert list(table.rows[0]) == ["key", "status", "energy_eV", "fit.b0_GPa", "fit.spin", "error"]
    assert table.rows[1]["energy_eV"] is None
    assert table.rows[1]["error"] == "no parameters for Fe"
    assert table.rows[2]["fit.spin"] == "UP"
    assert table.failed == 1
    with table.file.open(encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["fit.b0_GPa"] for row in read] == ["77.0", "", "140.0"]


def test_a_table_of_plain_numbers_and_files_has_a_column_for_each():
    table = gather_table([Path("in/Cu, fcc.cif"), Path("in/Al.cif")], [np.float64(1.5), 2], name="energies.csv")
    assert table.rows == [
        {"key": "Cu, fcc.cif", "status": "succeeded", "value": 1.5},
        {"key": "Al.cif", "status": "succeeded", "value": 2},
    ]
    assert table.file.read_text(encoding="utf-8").splitlines()[1] == '"Cu, fcc.cif",succeeded,1.5'
    assert gather_table([], []).rows == []


def test_a_result_that_has_not_converged_is_flagged_in_the_table():
    calc = Calc("emt")
    kept = relax(bulk("Cu", a=3.3), calc=calc, dof="cell", max_steps=1, on_unconverged="keep")
    table = gather_table(
        [{"scale": 1, "name": "a"}, {"scale": 2, "name": "b"}], [kept, singlepoint(bulk("Cu"), calc=calc)]
    )
    assert [row["status"] for row in table.rows] == ["flagged", "succeeded"]
    assert list(table.rows[0])[:4] == ["scale", "name", "status", "energy_eV"]
    assert not {"atoms", "forces", "stress"} & table.rows[0].keys()
    assert table.rows[0]["steps"] == 1
    assert table.rows[1]["steps"] is None


def test_lists_of_unequal_length_make_no_table():
    with pytest.raises(ValueError, match="2 keys and 1 results"):
        gather_table(["a", "b"], [1])
    with pytest.raises(ValueError, match="1 keys and 2 errors"):
        gather_table(["a"], [1], errors=[None, "x"])
