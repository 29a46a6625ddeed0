"""What runs leave on other machines: fetched, removed on demand or by policy, and a run goes on without it."""

from __future__ import annotations

import json

import pytest

from sciflow import open_run
from sciflow.cli.main import exit_code
from tests.unit.engine.flow_of_files import measured


class Desk:
    """A folder with settings for an executor whose files lie in a folder of its own."""

    def __init__(self, folder, patch):
        self.there = folder / "scratch" / "runs"
        self.switch = folder / "switch"
        self._patch = patch

    def executor(self, **settings):
        table = {"type": "batch", "system": "shell", "work_root": str(self.there.parent), "look_least_s": 0.1}
        self._patch.setenv("SCIFLOW_EXECUTORS", json.dumps({"c": {**table, **settings}}))

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
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert "nothing on other machines" in capsys.readouterr().err


def test_what_is_discarded_is_lost_and_said_to_be(desk, capsys):
    run = desk.run()
    assert exit_code(["clean", "--remote", "--discard", "--yes"]) == 0
    assert list(desk.there.iterdir()) == []
    assert run.result == 5
    assert exit_code(["fetch", "last", "write"]) == 2
    assert "is not there any more" in capsys.readouterr().err


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


def test_discard_alone_makes_no_sense(desk, capsys):
    assert exit_code(["clean", "--discard", "--keep", "1"]) == 2
    assert "--discard goes with --remote" in capsys.readouterr().err
