"""Following what the tasks of a run print, where the server that has it comes and goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow import op, workflow
from sciflow.engine.live_logs import live_lines
from sciflow.errors import HostUnreachable
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
