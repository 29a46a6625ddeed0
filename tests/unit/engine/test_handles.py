"""Runs as scripts and notebooks hold them: what a cell shows, which tasks are told of."""

from __future__ import annotations

import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from sciflow import context, list_runs, op, suspend, workflow
from sciflow.core.records import Phase
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.status import snapshot_of


@op
def numbers(n: int) -> list[int]:
    return list(range(n))


@op
def energy(x: int) -> float:
    return x / 2


@op
def total(parts: list[float]) -> float:
    return sum(parts)


@workflow
def sums(n: int) -> float:
    return total(energy.map(x=numbers(n)))


@workflow
def many_sums(ns: list[int]) -> list[float]:
    return sums.map(n=ns)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path))
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a notebook shows, one picture after the other."""

    class ZMQInteractiveShell:
        """What IPython calls a notebook's shell."""

    pictures: list[str] = []

    def display(html: str, *, display_id: bool) -> SimpleNamespace:
        assert display_id
        pictures.append(html)
        return SimpleNamespace(update=pictures.append)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    return pictures


def test_a_run_in_a_cell_is_the_table_of_its_steps() -> None:
    run = sums.submit(3)
    run.wait()
    html = run._repr_html_()
    assert "Succeeded</b> sums" in html
    assert "energy" in html
    assert "3/3" in html


def test_watching_in_a_cell_is_a_table_that_goes_on_until_the_run_ends(shown: list[str]) -> None:
    run = sums.submit(3)
    run.watch(interval_s=0.01)._ipython_display_()
    assert "Succeeded</b> sums" in shown[-1]
    assert "3/3" in shown[-1]


def test_watching_gives_the_run_until_it_has_ended() -> None:
    run = sums.run(2)
    assert [picture.phase for picture in run.watch()] == [Phase.SUCCEEDED]


def test_a_fan_over_nothing_is_a_row_that_succeeded_with_an_empty_list() -> None:
    run = sums.run(0)
    (task,) = run.tasks("energy")
    assert (task.path, task.slice, task.phase, task.output) == ("energy", None, Phase.SUCCEEDED, [])
    assert [row.path for row in run.tasks()] == ["numbers", "energy", "total"]
    assert list(run.table()["task"]) == ["numbers", "energy", "total"]
    steps = {step.path: (step.phase, step.done, step.total) for step in run.snapshot().steps}
    assert steps["energy"] == (Phase.SUCCEEDED, 0, 0)


def test_a_fan_over_nothing_in_a_slice_is_a_row_of_its_step() -> None:
    run = many_sums.run([0, 2])
    assert [task.path for task in run.tasks("sums/energy")] == ["sums/0/energy", "sums/1/energy/0", "sums/1/energy/1"]


@op
def relaxed(x: int) -> int:
    if x % 2:
        context().flag("not converged")
    return x


@workflow
def relaxations(xs: list[int]) -> list[int]:
    return relaxed.map(x=xs)


def test_the_report_of_a_run_that_succeeded_names_what_is_flagged_and_gives_no_advice() -> None:
    run = relaxations.run([0, 1, 2, 3])
    text = run.report()
    assert ": 2 flagged" in text.splitlines()[0]
    assert "relaxed/1, relaxed/3: flagged: not converged" in text
    assert "resume" not in text
    assert "retry" not in text


@op
def cached(x: int) -> int:
    return x


@op
def told_and_failed(x: int) -> int:
    context().flag("in vain")
    raise ValueError(x)


@workflow
def waits_for_a_number(xs: list[int]) -> list[list[int]]:
    partly = told_and_failed.options(min_success=0).map(x=[1])
    flagged, known = relaxed.map(x=xs), cached.options(cache=True).map(x=xs)
    return [flagged, known, [suspend("how many?", type=int, name="number")], count_of(partly)]


@op
def count_of(x: list[int | None]) -> list[int]:
    return [len(x)]


def test_a_run_that_is_resumed_still_counts_what_was_flagged_or_cached_before() -> None:
    waits_for_a_number.run([1, 2, 3])
    run = waits_for_a_number.run([1, 2, 3])
    before = {step.path: step for step in run.snapshot().steps}
    assert run.resume(1, detach=False) is Phase.SUCCEEDED
    after = {step.path: step for step in run.snapshot().steps}
    for steps in (before, after):
        assert {path: (step.flagged, step.cached) for path, step in steps.items() if path != "number"} == {
            "told_and_failed": (0, 0),
            "relaxed": (2, 0),
            "cached": (0, 3),
            "count_of": (0, 0),
        }
    listed = next(found for found in list_runs(runs=run.folder.parent) if found.id == run.id)
    assert (listed.counts.flagged, listed.counts.cached) == (2, 3)


@workflow
def first_of_none(n: int) -> float:
    return energy.map(x=numbers(n))[0]


def test_a_run_whose_result_has_no_value_says_so_among_its_errors() -> None:
    run = first_of_none.run(0)
    assert run.phase is Phase.FAILED
    (error,) = run.errors
    assert "no result: " in error.message
    assert "sciflow retry" in run.report()


@op
def warns(x: int) -> int:
    warnings.warn("a long way off", stacklevel=1)
    return x


@workflow
def all_warn(xs: list[int]) -> list[int]:
    return warns.map(xs)


def test_a_warning_is_in_the_log_of_every_slice_that_gave_it() -> None:
    run = all_warn.options(workers=1).run([0, 1, 2])
    assert ["a long way off" in run.logs(f"warns/{i}") for i in range(3)] == [True, True, True]


def test_a_run_that_ends_while_it_is_looked_at_is_not_told_to_have_ended_with_an_earlier_picture() -> None:
    run = sums.submit(3)
    run.wait()
    folder = RunFolder(Path(run.folder))
    with closing(sqlite3.connect(folder.database, isolation_level=None)) as db:
        ended = db.execute("SELECT name, value FROM fact WHERE name IN ('live', 'phase')").fetchall()
        earlier = msgspec.json.encode(msgspec.structs.replace(run.snapshot(), steps=()))
        db.execute("UPDATE fact SET value = ? WHERE name = 'live'", (earlier,))
        db.execute("UPDATE fact SET value = 'Running' WHERE name = 'phase'")

        class Watched(Reader):
            """The database of a run that ends when its phase is asked for."""

            def text(self, name: str) -> str:
                if name == "phase":
                    db.executemany("UPDATE fact SET value = ?2 WHERE name = ?1", ended)
                return super().text(name)

        reader = Watched(folder.database)
        told = snapshot_of(folder, reader)
        reader.close()
    assert told.phase == "Succeeded"
    assert [step.done for step in told.steps if step.path == "energy"] == [3]
