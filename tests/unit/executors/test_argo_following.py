"""Following what the tasks of a run print, where the server that has it comes and goes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow import op, workflow
from sciflow.cli.main import exit_code
from sciflow.engine.live_logs import live_lines
from sciflow.errors import HostUnreachable, RunError
from sciflow.executors.conducted import note_conductor
from tests.unit.executors.argo_stand_in import StandIn, stand_in

AWAY = 503, "application/json", '{"message": "upstream is away"}'


@op
def double(x: int) -> int:
    return 2 * x


@workflow
def doubled(x: int) -> int:
    return double(x)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        yield found


@pytest.fixture
def root(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that is now said to be on Argo."""
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "sciflow.toml"
    settings.write_text('progress = false\n[executors.there]\ntype = "batch"\nsystem = "shell"\n')
    made = doubled.options(executor="there").run(1)
    settings.write_text(
        'progress = false\n[executors.there]\ntype = "argo"\n'
        f'server = "{server.url}"\nnamespace = "argo"\nstorage = "bucket"\n'
    )
    server.answers[f"GET /api/v1/workflows/argo/{made.id}"] = 200, {"status": {}}
    server.logs[f"GET /api/v1/workflows/argo/{made.id}/log"] = [
        json.dumps({"result": {"podName": "pod", "content": "one"}})
    ]
    return made.folder


def test_a_server_that_is_away_for_a_moment_is_waited_for(root: Path, server: StandIn) -> None:
    pages = iter([AWAY, AWAY, None])  # after the first answer, which is whole

    def over() -> bool:
        server.page = next(pages, None)
        (call,) = server.logs
        if server.page is None:
            server.logs[call] = [*server.logs[call][:1], server.logs[call][0].replace("one", "two")]
        return sum(asked == call for asked, _ in server.told) > 2

    assert [line.text for line in live_lines(root, None, over=over)] == ["one", "two"]


def test_a_server_that_has_never_answered_is_not_waited_for(root: Path, server: StandIn) -> None:
    server.page = AWAY
    with pytest.raises(HostUnreachable, match="upstream is away"):
        list(live_lines(root, None, over=lambda: False))


def test_a_step_that_the_run_has_not_come_to_is_waited_for(root: Path, server: StandIn) -> None:
    with sqlite3.connect(root / "run.db") as db:
        db.execute("CREATE TABLE later AS SELECT * FROM node")
        db.execute("DELETE FROM node")

    def over() -> bool:
        with sqlite3.connect(root / "run.db") as db:
            db.execute("INSERT INTO node SELECT * FROM later WHERE NOT EXISTS (SELECT * FROM node)")
        return bool(server.told)

    (name,) = (call for call in server.answers if root.name in call)
    pod = {"id": "pod", "type": "Pod", "phase": "Running"}
    pod["inputs"] = {"parameters": [{"name": "path", "value": "double"}]}
    server.answers[name] = 200, {"status": {"nodes": {"pod": pod}}}
    assert [line.text for line in live_lines(root, "double", over=over)] == ["one"]


def test_a_step_that_the_workflow_does_not_have_is_not_waited_for(root: Path) -> None:
    with pytest.raises(RunError, match="no task 'nowhere' in this run"):
        list(live_lines(root, "nowhere", over=lambda: False))


def test_who_shows_a_run_is_told_what_argo_calls_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note_conductor(root, "there")
    assert exit_code(["show", root.name]) == 0
    assert f"at there: Workflow {root.name} in namespace argo" in capsys.readouterr().out
