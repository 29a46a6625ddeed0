"""Tasks as a table: text, CSV, DataFrame, HTML."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from sciflow.core.progress import Task
from sciflow.core.records import Phase
from sciflow.runner import codec
from sciflow.view.grid import as_text
from sciflow.view.table import Table, as_csv, as_frame, as_html, of_tasks
from tests.unit.view.examples import failed

FIT = {"$": "record", "type": "eos:Fit", "kind": "namedtuple", "v": {"v0": 11.8, "b0": 137.2}}


def succeeded(number: int, output: object = FIT, **more: object) -> Task:
    facts = {"phase": Phase.SUCCEEDED, "attempt": 1, "error": None, "output": output, "seconds": 0.1234567}
    return failed(number, **(facts | more))


def test_there_is_a_column_per_input_and_output_and_one_for_the_error_at_the_end() -> None:
    table = of_tasks([succeeded(0), failed(1)])
    assert table.columns == (
        "task", "slice", "phase", "attempts", "seconds", "scale", "calculator", "cell", "v0", "b0", "error"
    )  # fmt: skip
    rows = list(table)
    assert rows[0]["b0"] == 137.2
    assert rows[0]["error"] is None
    assert rows[1]["b0"] is None
    assert rows[1]["error"] == "SCFError: no convergence in 100 steps last change: 0.3 eV"


def test_an_output_without_fields_is_named_output_and_names_in_use_get_a_prefix() -> None:
    table = of_tasks(
        [succeeded(0, 1.5, inputs={"phase": "bcc", "b0": 1}), succeeded(1, inputs={"phase": "fcc", "b0": 2})]
    )
    assert table.columns == (
        "task", "slice", "phase", "attempts", "seconds", "input.phase", "b0", "output", "v0", "output.b0"
    )  # fmt: skip


def test_keys_flags_facts_and_cache_show_where_there_are_any() -> None:
    told = succeeded(0, key="relax-0", flag="not converged", facts={"version": "7.2"}, cached=True)
    assert {"key", "flag", "fact.version", "cached"} <= set(of_tasks([told, succeeded(1)]).columns)


def rows_of_csv(*tasks: Task) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(of_tasks(tasks), folder=Path("/runs/eos")))))


def test_csv_holds_numbers_in_full_and_texts_as_they_are() -> None:
    rows = rows_of_csv(succeeded(0, 0.1 + 0.2), failed(1))
    assert float(rows[0]["output"]) == 0.1 + 0.2
    assert rows[0]["calculator"] == "emt"
    assert rows[1]["phase"] == "Failed"


def test_csv_holds_what_has_parts_as_json_and_nothing_is_cut() -> None:
    (row,) = rows_of_csv(succeeded(0, list(range(1000))))
    assert json.loads(row["cell"]) == [[0.0] * 3] * 3
    assert json.loads(row["output"]) == list(range(1000))


def test_csv_names_files_by_their_paths() -> None:
    (row,) = rows_of_csv(succeeded(0, {"$": "artifact", "path": "tasks/a/cu.cif", "kind": "file", "size": 5}))
    assert row["output"] == "/runs/eos/tasks/a/cu.cif"


def test_csv_holds_structures_whole_after_their_formula() -> None:
    atoms = pytest.importorskip("ase").Atoms("Cu3Au", positions=[[n, 0, 0.1] for n in range(4)], cell=[1, 2, 3])
    (row,) = rows_of_csv(succeeded(0, codec.encode(atoms)))
    told = json.loads(row["output"])
    assert row["output"].startswith('{"formula": "AuCu3"')
    assert told["numbers"] == [29, 29, 29, 79]
    assert told["positions"] == atoms.positions.tolist()
    assert told["cell"] == atoms.cell.tolist()
    assert told["pbc"] == [False, False, False]


def test_a_data_frame_holds_decoded_values() -> None:
    frame = as_frame(of_tasks([succeeded(0), succeeded(1)]), decode=lambda tree: tree)
    assert list(frame["b0"]) == [137.2, 137.2]
    assert frame["slice"].sum() == 1


def test_on_a_terminal_columns_that_do_not_fit_are_named() -> None:
    text = as_text(of_tasks([succeeded(0), failed(1)]), width=60)
    assert all(len(line) <= 60 for line in text.splitlines())
    assert "energy/0" in text
    assert "no room for:" in text
    assert "b0" in text.partition("no room for:")[2]


def test_on_a_wide_terminal_all_fits_and_empty_columns_are_left_out() -> None:
    text = as_text(of_tasks([msgspec.structs.replace(succeeded(0), attempt=1)]), width=200)
    assert "no room" not in text
    assert "attempts" not in text
    assert "137.2" in text


def test_html_is_escaped() -> None:
    assert "<b>" not in as_html(of_tasks([succeeded(0, "<b>")]))


def test_no_tasks_make_an_empty_table() -> None:
    assert len(of_tasks([])) == 0
    assert as_csv(of_tasks([]), folder=Path()) == "task,slice,phase,attempts,seconds\n"
    assert as_text(of_tasks([]), width=80)


def test_a_terminal_is_shown_a_thousand_rows_and_told_how_many_more_there_are() -> None:
    rows = tuple((f"energy/{n}", "Succeeded", n) for n in range(1005))
    text = as_text(Table(("task", "phase", "output"), rows), width=80)
    assert "energy/999" in text
    assert "energy/1000" not in text
    assert "and 5 more rows (--csv and --json have all)" in text
