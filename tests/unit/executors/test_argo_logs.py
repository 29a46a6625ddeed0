"""What pods print, as it comes from a server that ends its answers when it likes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sciflow.executors.argo.pod_logs import PodLogs
from sciflow.executors.argo.server.objects import NodeStatus, WorkflowStatus, ended_pods
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.settings import ArgoSettings, parse_executor
from tests.unit.executors.argo_stand_in import StandIn, stand_in

HERE = "GET /api/v1/workflows/argo/run"
LOG = f"{HERE}/log"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        found.answers[HERE] = (
            200,
            {"status": {"nodes": {"run-1": node("run-1", "a", 0), "run-2": node("run-2", "a", 1)}}},
        )
        yield found


def node(id_: str, path: str, chunk: int, phase: str = "Running") -> dict[str, Any]:
    told = {"path": path, "chunk": str(chunk)}
    inputs = {"parameters": [{"name": name, "value": value} for name, value in told.items()]}
    return {"id": id_, "type": "Pod", "phase": phase, "templateName": "op", "inputs": inputs}


def printed(pod: str, *lines: str) -> list[str]:
    return [json.dumps({"result": {"podName": pod, "content": line}}) for line in lines]


def logs(server: StandIn, token: str = "") -> PodLogs:
    told = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
    settings = parse_executor("argo", {**told, **({"token": {"file": token}} if token else {})})
    assert isinstance(settings, ArgoSettings)
    return PodLogs(make_server(settings), "run", pods=4)


def test_who_follows_again_is_told_nothing_twice(server: StandIn) -> None:
    found = logs(server)
    server.logs[LOG] = [*printed("run-op-1", "one", "one"), *printed("run-op-2", "other")]
    assert [line.text for line in found.follow("a")] == ["one", "one", "other"]
    server.logs[LOG] = [*printed("run-op-1", "one", "one", "two"), *printed("run-op-2", "other", "more")]
    assert [(line.title, line.text) for line in found.follow("a")] == [("a, pod 0", "two"), ("a, pod 1", "more")]


def test_a_token_that_has_expired_is_read_anew_by_who_follows(server: StandIn, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    server.token = "one"
    found = logs(server, str(token))
    server.logs[LOG] = printed("run-op-1", "one")
    assert [line.text for line in found.follow(None)] == ["one"]
    token.write_text("two")
    server.token = "two"
    server.logs[LOG] = printed("run-op-1", "one", "two")
    assert [line.text for line in found.follow(None)] == ["two"]


def test_a_pod_that_argo_does_not_know_is_not_looked_for_at_each_line(server: StandIn) -> None:
    server.logs[LOG] = printed("another", *map(str, range(50)))
    assert len(list(logs(server).follow(None))) == 50
    assert sum(call == HERE for call, _ in server.told) == 1


def test_a_chunk_has_ended_if_none_of_its_pods_goes_on() -> None:
    told = [
        node("1", "a", 0, "Failed"),
        node("2", "a", 0),
        node("3", "a", 1, "Succeeded"),
        node("4", "b", 0, "Pending"),
    ]
    nodes = {one["id"]: msgspec.convert(one, type=NodeStatus) for one in told}
    assert ended_pods(WorkflowStatus(nodes=nodes)) == {("a", "1")}
