"""What runs leave on other machines: fetched, removed on demand or by policy, and a run goes on without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sciflow import open_run
from sciflow.cli.main import exit_code
from sciflow.engine.run_folder import RunFolder
from tests.unit.engine import flow_of_files as flow
from tests.unit.engine.flow_of_files import measured


class Desk:
    """A folder with settings for an executor whose files lie in a folder of its own."""

    def __init__(self, folder, patch):
        self.folder = folder
        self.there = folder / "scratch" / "runs"
        self.switch = folder / "switch"
        self._patch = patch

    def executor(self, other=None, **settings):
        """Those of `c`, and of another one, `d`, where it is wanted."""
        table = {"type": "batch", "system": "shell", "work_root": str(self.there.parent), "look_least_s": 0.1}
        table["settings"] = {"signs": str(self.folder)}
        tables = {"c": {**table, **settings}, **({} if other is None else {"d": {**table, **other}})}
        self._patch.setenv("SCIFLOW_EXECUTORS", json.dumps(tables))

    def python(self, when_cleaning):
        """A `python` of the host with which something else happens, too, when a run is removed there."""
        program = self.folder / "python-of-the-site"
        program.write_text(
            f'#!/bin/sh\ncase " $* " in *" host clean "*) {when_cleaning};; *) exec {sys.executable} "$@";; esac\n'
        )
        program.chmod(0o755)
        return str(program)

    def run(self, n=5):
        return measured.options(executor="c", progress=False).run(n, str(self.switch))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path, monkeypatch)
    made.executor()
    return made


def home(run):
    return (run.folder / "tasks" / "write" / "made.txt").exists()


def test_what_stays_elsewhere_comes_home_when_it_is_fetched(desk, capsys):
    run = desk.run()
    assert run.result == 5
    assert not home(run)
    assert exit_code(["fetch", "last", "write"]) == 0
    assert home(run)
    assert "1 task: all files are here" in capsys.readouterr().err


def test_files_come_home_before_they_are_removed_elsewhere(desk, capsys):
    run = desk.run()
    assert exit_code(["clean", "--remote", "--dry-run"]) == 0
    assert "would remove what 1 run has left at c" in capsys.readouterr().err
    assert [path.name for path in desk.there.iterdir()] == [run.id]
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    assert open_run("last").output("write").read_text() == "xxxxx"
    assert exit_code(["fetch", "last", "write"]) == 0
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert "nothing on other machines" in capsys.readouterr().err


def test_modules_that_no_run_there_needs_go_when_nobody_has_asked_for_them_for_long(desk):
    desk.run()
    code = desk.there.parent / "code"
    modules = {path for path in code.iterdir() if path.is_dir()}
    assert modules
    for path in code.iterdir():
        os.utime(path, (1, 1))
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert not {path for path in modules if path.exists()}
    assert list(code.glob("*.zip"))  # the runner that does this


def test_what_is_discarded_is_lost_and_said_to_be(desk, capsys):
    run = desk.run()
    assert exit_code(["clean", "--remote", "--discard", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    assert run.result == 5
    assert exit_code(["fetch", "last", "write"]) == 2
    assert "sciflow resubmit" in capsys.readouterr().err


def test_a_run_whose_files_elsewhere_are_gone_can_be_retried(desk):
    desk.switch.touch()
    run = desk.run()
    assert run.phase == "Failed"
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    desk.switch.unlink()
    run.retry()
    assert run.result == 5


def test_by_policy_they_are_removed_when_a_run_has_succeeded_and_no_earlier(desk):
    desk.executor(cleanup="on_success")
    desk.switch.touch()
    run = desk.run()
    assert [path.name for path in desk.there.iterdir()] == [run.id]
    desk.switch.unlink()
    run.retry()
    assert list(desk.there.iterdir()) == []
    assert home(run)


def test_by_policy_those_of_old_runs_are_removed_at_the_end_of_a_new_one(desk):
    first = desk.run()
    desk.executor(cleanup="0.000001h")
    second = desk.run(6)
    assert [path.name for path in desk.there.iterdir()] == [second.id]
    assert home(first)


@pytest.mark.parametrize("place", ["other", "scratch"])
def test_each_executor_has_its_own_policy_and_where_they_share_a_folder_what_one_keeps_stays(desk, tmp_path, place):
    desk.executor(cleanup="on_success", other={"work_root": str(tmp_path / place)})
    run = flow.measured_elsewhere.options(executor="c", progress=False).run(5, str(desk.switch))
    assert run.result == 5
    own, other = ([path.name for path in (tmp_path / name / "runs").iterdir()] for name in ("scratch", place))
    assert (own, other) == ([] if place == "other" else [run.id], [run.id])
    desk.executor(cleanup="on_success", other={"work_root": str(tmp_path / place), "cleanup": "0.000001h"})
    flow.measured_elsewhere.options(executor="c", progress=False).run(6, str(desk.switch))
    assert run.id not in [path.name for path in (tmp_path / place / "runs").iterdir()]


def test_no_engine_begins_to_work_on_a_run_while_what_it_has_left_is_removed(desk, capsys):
    run = desk.run()
    sign = desk.folder / "an engine could begin"
    lock = run.folder / "engine.lock"
    desk.executor(python=desk.python(f'flock -n {lock} touch "{sign}"; exec {sys.executable} "$@"'))
    with RunFolder(run.folder).lock():
        assert exit_code(["clean", "--remote", "--yes"]) == 1
    assert "another engine works on this run" in capsys.readouterr().err
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    assert not sign.exists()


def test_a_death_after_files_were_removed_and_before_that_is_written_down_loses_nothing(desk):
    desk.switch.touch()
    run = desk.run()
    desk.executor(python=desk.python(f'{sys.executable} "$@"; kill -9 $PPID'))
    program = Path(sys.executable).with_name("sciflow")
    died = subprocess.run([program, "clean", "--remote", "--yes"], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert list(desk.there.iterdir()) == []
    desk.executor()
    desk.switch.unlink()
    run.retry()
    assert run.result == 5
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_what_a_job_has_left_that_was_killed_does_not_keep_its_run_from_being_removed(desk):
    run = flow.vanishing.options(executor="c", progress=False).run(7)
    assert run.phase == "Failed"
    assert list(desk.there.glob("*/batches/*/live/0")) != []
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    (desk.folder / "mended").touch()
    run.retry()
    assert run.result == 7


def test_discard_alone_makes_no_sense(desk, capsys):
    assert exit_code(["clean", "--discard", "--keep", "1"]) == 2
    assert "--discard goes with --remote" in capsys.readouterr().err
