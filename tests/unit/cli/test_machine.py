"""Commands about the machine: config, doctor, version, help, completion."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Sciflow


def test_config_shows_each_value_and_where_it_came_from(sciflow: Sciflow, here: Path) -> None:
    (here / "sciflow.toml").write_text('workers = 3\n[host]\nvasp = "/opt/vasp"\n')
    text = sciflow("config", "show", SCIFLOW_GPUS="1").stdout
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert f"{here / 'sciflow.toml'}:1" in lines["workers"]
    assert "environment SCIFLOW_GPUS" in lines["gpus"]
    assert lines["durable"].split()[-1] == "default"
    facts = json.loads(sciflow("config", "show", "--json").stdout)
    assert facts["host"]["value"] == {"vasp": "/opt/vasp"}


def test_config_keys_explains_every_setting(sciflow: Sciflow) -> None:
    assert "inline_bytes  (SCIFLOW_INLINE_BYTES)" in sciflow("config", "keys").stdout


def test_doctor_says_what_works(sciflow: Sciflow) -> None:
    done = sciflow("doctor")
    assert done.returncode == 0, done.stdout
    assert "runs folder" in done.stdout
    assert {"ok"} <= {finding["state"] for finding in json.loads(sciflow("doctor", "--json").stdout)}


def test_doctor_says_what_is_wrong_and_what_to_do(sciflow: Sciflow, here: Path) -> None:
    (here / "sciflow.toml").write_text('runs = "/proc/nowhere"\n')
    done = sciflow("doctor")
    assert done.returncode == 1
    assert "/proc/nowhere" in done.stdout
    assert "choose another folder" in done.stdout


def test_the_version_is_told(sciflow: Sciflow) -> None:
    assert sciflow("--version").stdout.startswith("sciflow 0.1.0 (Python 3.")


def test_help_lists_every_command_and_each_has_its_own(sciflow: Sciflow) -> None:
    from sciflow.cli.main import COMMANDS

    text = sciflow("--help").stdout
    assert all(f"  {name} " in text for name in COMMANDS)
    assert all(len(line) <= 80 for line in text.splitlines())
    for name in COMMANDS:
        assert sciflow(name, "--help").returncode == 0


def test_the_shell_completes_commands_and_runs(sciflow: Sciflow) -> None:
    assert "_sciflow_completion" in sciflow(_SCIFLOW_COMPLETE="bash_source").stdout
    asked = {"_SCIFLOW_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert sciflow(**asked, COMP_WORDS="sciflow res").stdout.split() == [
        "plain,result",
        "plain,resubmit",
        "plain,resume",
    ]
    assert sciflow("run", "eos.py:eos", "--scales", "[1]").returncode == 0
    runs = sciflow(**{**asked, "COMP_CWORD": "2"}, COMP_WORDS="sciflow show eo").stdout
    assert runs.startswith("plain,eos-")


def test_the_shell_completes_tasks_of_the_run_that_is_named(sciflow: Sciflow) -> None:
    assert sciflow("run", "eos.py:eos", "--scales", "[1, 2]").returncode == 0

    def completed(words: str) -> list[str]:
        asked = {"_SCIFLOW_COMPLETE": "bash_complete", "COMP_CWORD": str(len(words.split(" ")) - 1)}
        done = sciflow(**asked, COMP_WORDS=words)
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("sciflow logs last ") == ["plain,energy", "plain,fit"]
    assert completed("sciflow explain last e") == ["plain,energy"]
    assert completed("sciflow table last f") == ["plain,fit"]
    assert completed("sciflow logs last energy/") == ["plain,energy/0", "plain,energy/1"]
    assert completed("sciflow logs nowhere ") == []


def test_the_shell_completes_the_nodes_that_wait_to_be_resumed(sciflow: Sciflow, here: Path) -> None:
    asking = "from sciflow import suspend, workflow\n\n@workflow\ndef asks() -> list[int]:\n"
    asking += '    return [suspend(type=int, name="width"), suspend(type=int, name="height")]\n'
    (here / "asks.py").write_text(asking)
    assert sciflow("run", "asks.py").stdout == ""
    asked = {"_SCIFLOW_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    assert sciflow(**asked, COMP_WORDS="sciflow resume last --node ").stdout.split() == ["plain,width", "plain,height"]
    assert sciflow(**asked, COMP_WORDS="sciflow resume last --node h").stdout.split() == ["plain,height"]
