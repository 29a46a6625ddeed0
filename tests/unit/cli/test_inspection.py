"""Commands about runs that are there: list, show, logs, table, result, explain, graph, retry, clean."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sciflow import open_run
from sciflow.errors import RunError
from tests.unit.cli.conftest import Sciflow, until


@pytest.fixture
def failed(sciflow: Sciflow) -> Sciflow:
    """One run that succeeded, and after it one that failed."""
    assert sciflow("run", "eos.py:eos", "--scales", "[0.9, 1.0]").returncode == 0
    assert sciflow("run", "eos.py:eos", "--scales", "[0.9, 3.0, 1.0]").returncode == 1
    return sciflow


def test_list_shows_each_run_in_a_line_the_newest_last(failed: Sciflow) -> None:
    heading, first, last = failed("list").stdout.splitlines()
    assert heading.split() == ["run", "phase", "started", "time", "tasks"]
    assert "Succeeded" in first
    assert "Failed" in last
    assert "2 of 4, 1 failed" in last
    assert len(failed("list", "-n", "1").stdout.splitlines()) == 2
    assert [run["phase"] for run in json.loads(failed("list", "--phase", "failed", "--json").stdout)] == ["Failed"]


def test_list_without_runs_says_where_it_looked(sciflow: Sciflow, here: Path) -> None:
    done = sciflow("list")
    assert done.returncode == 0
    assert done.stdout == ""
    assert str(here / "runs") in done.stderr


def test_show_has_the_steps_and_the_report(failed: Sciflow) -> None:
    text = failed("show").stdout
    assert "3/3" in text
    assert "energy/1 failed: ValueError: scale 3.0 is too large" in text
    assert "fit: omitted because of energy/1" in text
    assert text.count("\nfolder:") == 1
    facts = json.loads(failed("show", "--json").stdout)
    assert facts["snapshot"]["phase"] == "Failed"


def test_table_is_text_csv_or_json(failed: Sciflow, here: Path) -> None:
    assert "ValueError: scale 3.0 is too large" in failed("table").stdout
    rows = list(csv.DictReader(io.StringIO(failed("table", "last", "energy", "--csv").stdout)))
    assert [row["phase"] for row in rows] == ["Succeeded", "Failed", "Succeeded"]
    assert [float(row["scale"]) for row in rows] == [0.9, 3.0, 1.0]
    told = json.loads(failed("table", "last", "energy", "--phase", "Failed", "--json").stdout)
    assert [row["task"] for row in told] == ["energy/1"]
    assert failed("table", "last", "energy", "-o", "rows.csv").returncode == 0
    assert len((here / "rows.csv").read_text().splitlines()) == 4


def test_logs_are_those_of_a_task_or_of_all_that_failed(failed: Sciflow) -> None:
    assert failed("logs", "last", "energy/0").stdout == "scale 0.9\n"
    assert "scale 3.0" in failed("logs").stdout
    assert failed("logs", "last", "nowhere/7").returncode == 2
    assert "of energy there are: energy/0 to energy/2" in failed("logs", "last", "energy/7").stderr
    assert "what running tasks print lies in" in failed("logs", "last", "fit").stderr


def test_what_running_tasks_print_is_followed_until_the_run_ends(sciflow: Sciflow) -> None:
    assert sciflow("submit", "eos.py:eos", "--scales", "[0.9, 1.0, 1.1, 1.2]", "--seconds", "3.0").returncode == 0
    followed = sciflow("logs", "last", "--follow")
    assert followed.returncode == 0
    assert "scale 1.2\n" in followed.stdout
    assert ".out <==\n" in followed.stdout
    assert "is known at its end" in sciflow("logs", "last", "energy/0", "--follow").stderr


def test_the_events_of_a_run_are_lines(failed: Sciflow) -> None:
    assert failed("retry").returncode == 1
    kinds = [line.split()[2] for line in failed("logs", "--events").stdout.splitlines()]
    assert kinds == ["began", "ended", "retry", "began", "ended"]
    assert failed("logs", "--events", "--tail", "1").stdout.split()[2] == "ended"


def test_a_stream_that_is_none_is_refused(failed: Sciflow, here: Path) -> None:
    run = open_run("last", runs=here / "runs")
    with pytest.raises(RunError, match="no stream 'stdout'; there are: out, err, both"):
        run.logs("energy/1", stream="stdout")


def test_the_result_of_a_failed_run_is_its_report(failed: Sciflow) -> None:
    done = failed("result")
    assert done.returncode == 1
    assert "energy/1 failed" in done.stderr
    assert done.stdout == ""


def test_the_result_of_a_task_or_a_step_is_what_it_gave_back(failed: Sciflow) -> None:
    assert failed("result", "last", "energy/2").stdout == "0\n"
    assert json.loads(failed("result", "last", "energy", "--json").stdout) == [pytest.approx(0.01), None, 0.0]
    done = failed("result", "last", "energy/1")
    assert done.returncode == 1
    assert "energy/1 has given nothing back: failed; see: sciflow explain eos-" in done.stderr


def test_retry_runs_the_failed_task_again_and_nothing_else(failed: Sciflow, here: Path) -> None:
    script = here / "eos.py"
    script.write_text(script.read_text().replace("if scale > 2:", "if scale > 20:"))
    done = failed("retry")
    assert done.returncode == 0, done.stderr
    assert "b0    4" in done.stdout
    attempts = [row["attempts"] for row in json.loads(failed("table", "last", "energy", "--json").stdout)]
    assert attempts[0] == attempts[2] == 1


def test_explain_says_why_a_task_ran(failed: Sciflow) -> None:
    done = failed("explain", "last", "energy/0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    fan = failed("explain", "last", "energy").stdout
    assert fan.startswith("energy: 3 slices have ended: 2 succeeded, 1 failed\n")


def test_graph_draws_a_target_and_a_run_alike(failed: Sciflow, here: Path) -> None:
    text = failed("graph", "eos.py:eos").stdout
    assert text.startswith("flowchart TD\n")
    assert failed("graph").stdout == text
    assert failed("graph", "eos.py:eos", "-o", "eos.dot").returncode == 0
    assert (here / "eos.dot").read_text().startswith('digraph "eos"')


def test_clean_removes_what_is_named_and_asks_first(failed: Sciflow, here: Path) -> None:
    alone = failed("clean", "--phase", "Failed")
    assert (alone.returncode, "say --yes" in alone.stderr) == (2, True)
    assert "would remove 1 run" in failed("clean", "--phase", "Failed", "--dry-run").stderr
    assert "nothing to remove" in failed("clean", "--older", "1d", "--yes").stderr
    assert len(list(here.glob("runs/eos-*"))) == 2
    assert "removed 1 run" in failed("clean", "--keep", "1", "--yes").stderr
    assert [run["phase"] for run in json.loads(failed("list", "--json").stdout)] == ["Failed"]


def test_clean_removes_what_creations_that_were_killed_left_but_only_after_a_day(sciflow: Sciflow, here: Path) -> None:
    new, old = here / "runs" / ".new-eos-20260101-000000-aaaa", here / "runs" / ".new-eos-20260101-000000-bbbb"
    for folder in (new, old):
        (folder / "artifacts").mkdir(parents=True)
        (folder / "artifacts" / "cu.cif").write_text("Cu")
    for path in (*old.rglob("*"), old):
        os.utime(path, (0, time.time() - 90000))
    for path in (new, new / "artifacts"):
        os.utime(path, (0, time.time() - 90000))  # a large file is still being written
    told = "1 folder of runs never wholly made"
    assert f"would remove {told}" in sciflow("clean", "--keep", "5", "--dry-run").stderr
    assert old.exists()
    assert f"removed {told}" in sciflow("clean", "--keep", "5", "--yes").stderr
    assert [folder.exists() for folder in (new, old)] == [True, False]
    assert "nothing to remove" in sciflow("clean", "--keep", "5", "--yes").stderr


def test_clean_never_removes_a_run_that_goes_on_and_cancel_ends_it_at_once(sciflow: Sciflow) -> None:
    started = sciflow("submit", "eos.py:eos", "--scales", "[1, 1, 1]", "--seconds", "600").stdout.strip()
    until(lambda: "Running" in sciflow("list").stdout)
    assert f"kept {started}: it goes on" in sciflow("clean", "--keep", "0", "--yes").stderr
    assert sciflow("cancel", started).returncode == 0
    assert sciflow("watch", started).returncode == 1
    assert "the run was terminated" in sciflow("list").stdout
    assert "removed 1 run" in sciflow("clean", "--keep", "0", "--yes").stderr


def test_words_that_others_have_for_a_command_are_understood(sciflow: Sciflow) -> None:
    assert "no such command: terminate; did you mean cancel?" in sciflow("terminate").stderr
    assert "no such command: shwo; did you mean show?" in sciflow("shwo").stderr


def on_terminal(here: Path, *args: str, **environ: str) -> str:
    """What a command writes to a terminal of 80 columns."""
    controller, terminal = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environ}
    argv = [sys.executable, "-m", "sciflow", *args]
    process = subprocess.Popen(argv, cwd=here, env=environ, stdout=terminal, stderr=terminal, stdin=terminal)
    os.close(terminal)
    text = b""
    while True:
        try:
            block = os.read(controller, 1 << 16)
        except OSError:
            break
        text += block
    os.close(controller)
    process.wait()
    return text.decode()


def test_colours_are_for_terminals_and_not_for_those_who_refuse_them(failed: Sciflow, here: Path) -> None:
    assert "\x1b[1;31m" in on_terminal(here, "list")
    assert "\x1b[1;31m" not in on_terminal(here, "list", NO_COLOR="1")
    assert "\x1b" not in failed("list").stdout


def test_on_a_terminal_a_run_redraws_its_steps(here: Path, sciflow: Sciflow) -> None:
    text = on_terminal(here, "run", "eos.py:eos", "--scales", "[0.9, 1]", "--seconds", "0.3")
    assert "\x1b[1A" in text
    assert "2/2" in text
