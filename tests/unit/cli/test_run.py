"""`sciflow run | submit | plan`: inputs as options, output, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Sciflow, until

SCALES = ("--scales", "[0.9, 1.0]")


def test_a_run_that_succeeds_prints_its_result_and_nothing_else_to_stdout(sciflow: Sciflow) -> None:
    done = sciflow("run", "eos.py:eos", *SCALES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "v0    0\nb0    0.01\nmode  Mode.FAST\n"
    assert "eos succeeded in" in done.stderr
    assert "3 tasks" in done.stderr


def test_a_run_that_fails_reports_the_cause_and_exits_with_1(sciflow: Sciflow) -> None:
    done = sciflow("run", "eos.py:eos", "--scales", "[1, 3]")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "energy/1 failed: ValueError: scale 3.0 is too large" in done.stderr
    assert "sciflow retry eos-" in done.stderr


def test_json_is_all_that_goes_to_stdout(sciflow: Sciflow) -> None:
    facts = json.loads(sciflow("run", "eos.py:eos", *SCALES, "--json").stdout)
    assert facts["phase"] == "Succeeded"
    assert facts["result"] == {"v0": 0.0, "b0": pytest.approx(0.01), "mode": "FAST"}
    failed = sciflow("run", "--json", "eos.py:eos", "--scales", "[3]")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["errors"][0]["type"] == "builtins:ValueError"


def test_the_help_of_a_target_shows_its_typed_inputs(sciflow: Sciflow) -> None:
    text = sciflow("run", "eos.py:eos", "--help").stdout
    assert "Fit an equation of state." in text
    assert "--scales LIST[FLOAT]" in text
    assert "[required]" in text
    assert "--structure PATH" in text
    assert "--mode [FAST|SLOW]" in text
    assert "default: Mode.FAST" in text


def test_a_list_may_be_json_a_file_or_the_option_repeated(sciflow: Sciflow, here: Path) -> None:
    (here / "scales.json").write_text("[0.9, 1.0]")
    ways = [SCALES, ("--scales", "@scales.json"), ("--scales", "0.9", "--scales", "1.0")]
    assert len({sciflow("run", "eos.py:eos", *way).stdout for way in ways}) == 1


def test_an_op_runs_alone_and_a_module_is_found_in_the_working_folder(sciflow: Sciflow) -> None:
    done = sciflow("run", "eos:energy", "--scale", "1.5")
    assert done.stdout == "0.25\n", done.stderr


def test_a_file_with_one_workflow_needs_no_name(sciflow: Sciflow) -> None:
    assert sciflow("run", "eos.py", *SCALES).returncode == 0


def test_options_of_the_run_stand_before_or_after_the_target(sciflow: Sciflow, here: Path) -> None:
    assert sciflow("run", "--runs", "a", "eos.py:eos", *SCALES, "--name", "first").returncode == 0
    assert sciflow("run", "eos.py:eos", *SCALES, "--runs", "b", "--no-progress").stderr.startswith("eos succeeded")
    assert [path.name.rsplit("-", 3)[0] for path in (here / "a").iterdir()] == ["first"]
    assert len(list((here / "b").glob("eos-*"))) == 1


def test_an_input_goes_before_an_option_of_the_run_of_the_same_name(sciflow: Sciflow, here: Path) -> None:
    source = "from sciflow import op\n@op\ndef join(name: str, json: list[int], workers: int = 1) -> str:\n"
    (here / "names.py").write_text(source + "    return f'{name} {json} {workers}'\n")
    done = sciflow("run", "--name", "mine", "names.py:join", "--name", "a", "--json", "[1]", "--workers", "7")
    assert done.stdout == "a [1] 7\n", done.stderr
    assert list(here.glob("runs/mine-*"))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("rnu",), "did you mean run?"),
        (("run", "eos.py:eso", *SCALES), "did you mean eos?"),
        (("run", "nowhere.py:eos"), "no such file: nowhere.py"),
        (("run", "nowhere:eos"), "No module named 'nowhere'"),
        (("run", "eos.py:eos"), "Missing option '--scales'"),
        (("run", "eos.py:eos", "--scale", "[1]"), "--scales"),
        (("run", "eos.py:eos", "--scales", "[1, 'x']"), "expected list[float], as JSON"),
        (("run", "eos.py:eos", "--scales", '["x"]'), "expected float"),
        (("run", "eos.py:eos", "--scales", "@none.json"), "cannot read JSON from none.json"),
        (("run", "eos.py:eos", *SCALES, "--mode", "MEDIUM"), "expected one of FAST, SLOW"),
        (("run", "eos.py:eos", *SCALES, "--workers", "0"), "0 is not in the range"),
        (("run", "eos.py:eos", *SCALES, "--structure", "none.cif"), "none.cif"),
        (("run", "eos.py:eos", *SCALES, "--timeout-s", "inf"), "expected a number of seconds above 0, found 'inf'"),
        (("run", "eos.py:eos", *SCALES, "--timeout-s", "0"), "expected a number of seconds above 0, found '0'"),
        (("run", "eos.py:eos", *SCALES, "--name", ""), "expected a name"),
        (("watch", "--every-s", "nan"), "expected a number of seconds above 0, found 'nan'"),
        (("show", "nothing"), "no run 'nothing'"),
        (("clean",), "say which"),
    ],
)
def test_what_is_invalid_is_said_before_anything_runs_and_exits_with_2(
    sciflow: Sciflow, here: Path, args: tuple[str, ...], told: str
) -> None:
    done = sciflow(*args)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(here.glob("runs/*/run.db"))


def test_an_unknown_setting_exits_with_2(sciflow: Sciflow, here: Path) -> None:
    (here / "sciflow.toml").write_text("wokers = 2\n")
    done = sciflow("list")
    assert done.returncode == 2
    assert "did you mean 'workers'?" in done.stderr


def test_a_script_that_cannot_be_loaded_is_shown_without_our_own_frames(sciflow: Sciflow, here: Path) -> None:
    (here / "broken.py").write_text("def f():\n    return 1 / 0\n\n\nf()\n")
    done = sciflow("run", "broken.py:f")
    assert done.returncode == 2
    assert "line 2, in f" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "loader.py" not in done.stderr


def test_an_interrupted_run_exits_with_130_and_can_be_resumed(sciflow: Sciflow, here: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "sciflow",
        "run",
        "eos.py:eos",
        "--scales",
        "[0.9, 1, 1, 1, 1, 1]",
        "--seconds",
        "0.3",
    ]
    process = subprocess.Popen(argv, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: list(here.glob("runs/*/logs/*.out")))
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "resume" in told
    assert sciflow("resume").returncode == 0
    assert sciflow("result").stdout.startswith("v0    0\nb0    0.01\n")


def test_a_submitted_run_goes_on_alone_and_is_watched(sciflow: Sciflow) -> None:
    started = sciflow("submit", "eos.py:eos", *SCALES, "--seconds", "0.2")
    assert started.returncode == 0, started.stderr
    watched = sciflow("watch", started.stdout.strip())
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout.startswith("v0    0\n")
    assert sciflow("list", "--json").stdout.count(started.stdout.strip()) == 2


def test_plan_says_what_would_run_and_runs_nothing(sciflow: Sciflow, here: Path) -> None:
    done = sciflow("plan", "eos.py:eos", *SCALES)
    assert done.returncode == 0, done.stderr
    assert "energy" in done.stdout
    assert "fit" in done.stdout
    assert not list(here.glob("runs/*/run.db"))
    assert json.loads(sciflow("plan", "eos.py:eos", *SCALES, "--json").stdout)["steps"]


def test_a_reader_that_went_away_is_no_reason_for_a_traceback(here: Path) -> None:
    line = f"{sys.executable} -m sciflow config keys | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=here, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.stderr == ""
    assert done.returncode in (0, 141)


def test_null_is_none_where_the_type_allows_it(sciflow: Sciflow, here: Path) -> None:
    (here / "steps.py").write_text(
        "from sciflow import op\n\n\n@op\ndef steps(n: int | None = 3) -> str:\n    return f'{n} steps'\n"
    )
    assert sciflow("run", "steps.py:steps", "--n", "null").stdout == "None steps\n"
    assert sciflow("run", "steps.py:steps").stdout == "3 steps\n"


@pytest.mark.parametrize("verb", ["suspend", "stop", "cancel"])
def test_a_run_that_has_ended_is_not_asked_to_end(sciflow: Sciflow, verb: str) -> None:
    sciflow("run", "eos.py:eos", *SCALES)
    told = sciflow(verb, "last").stderr
    assert "has ended already: succeeded" in told
    assert "asked" not in told
