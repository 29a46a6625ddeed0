"""How a run is ended or paused where Argo's server takes it or refuses it, with servers that stand in for both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sciflow import Run, op, workflow
from sciflow.errors import RunError
from sciflow.executors.argo.place.layout import Layout
from tests.contract.argo_ops import nap, naps
from tests.contract.test_argo_leaving import kill_engine, until
from tests.unit.executors.argo_stand_in import JSON, StandIn, stand_in
from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket

GOES_ON = 200, {"status": {"phase": "Running"}}
SUSPENDED = 200, {"status": {"phase": "Running"}, "spec": {"suspend": True}}
AT_WORK = {"type": "Pod", "phase": "Running", "inputs": {"parameters": [{"name": "path", "value": "nap"}]}}
CREATED = "argo"  # so ends the path at which a workflow is created: with the namespace


class Place:
    """Argo's server, with one workflow of whatever name, and the bucket; `orders` are what it was told to do."""

    def __init__(self, server: StandIn, objects: Objects) -> None:
        self.objects = objects
        self.orders: list[str] = []
        self.status: tuple[int, JSON] = GOES_ON
        self.refuses: set[str] = set()
        self.ends: set[str] = set()  # by what it ends
        server.answer = self.answer  # type: ignore[method-assign]

    def answer(self, call: str, body: JSON, token: str) -> tuple[int, JSON]:
        del body, token
        method, _, path = call.partition(" ")
        verb = path.rpartition("/")[2]
        if method == "GET":
            return self.status
        if verb in self.refuses:
            return 403, {"message": "forbidden: cannot patch"}
        self.orders.append(verb)
        if verb in {"suspend", "resume"}:
            self.status = 200, {**self.status[1], "spec": {"suspend": verb == "suspend"}}
        if verb in self.ends:
            self.status = 200, {"status": {"phase": "Failed"}}
        return 200, {}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, objects):
        s3 = {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
        argo = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": argo}))
        monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": s3}))
        monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
        monkeypatch.setenv("SCIFLOW_PROGRESS", "false")
        yield Place(server, objects)


def halted(place: Place) -> JSON:
    return next(json.loads(text) for key, text in place.objects.held.items() if key.endswith("/halted"))


@pytest.mark.parametrize(("verb", "done"), [("stop", "stop"), ("cancel", "terminate")])
def test_a_run_without_an_engine_is_ended_in_argo_as_an_engine_does_it(verb: str, done: str, place: Place) -> None:
    run = naps.submit(0.0, on="argo")
    until(lambda: run.phase == "Running" and CREATED in place.orders)
    kill_engine(run)
    place.orders.clear()
    place.status = SUSPENDED
    end: Callable[[], None] = getattr(run, verb)
    end()
    assert run.phase == "Failed"
    assert place.orders == [done, "resume"]
    assert halted(place)["why"].startswith("the run was")


@workflow(timeout_s=15.0)
def in_time() -> float:
    return nap(0.0)


@op
def few() -> list[int]:
    return [1, 2]


@workflow
def third() -> int:
    return few()[2]


@workflow
def nap_alone() -> float:
    return nap(0.0)


def test_a_pause_that_is_refused_leaves_the_time_limit_as_it_is(place: Place) -> None:
    place.refuses, place.ends = {"suspend"}, {"stop", "terminate"}
    run = in_time.submit(on="argo")
    until(lambda: CREATED in place.orders)
    with pytest.raises(RunError, match=r"the run goes on: .*cannot patch"):
        run.suspend()
    assert run.wait(60) == "Failed"
    assert halted(place)["why"] == "the run took longer than its time limit"


def ends(place: Place, run: Run[Any], path: str, value: object) -> None:
    """The only task of a node has succeeded."""
    reply = [0, 0, "Succeeded", value, 0.0, 1.0, 0, 0]
    lines = [{"path": path, "chunk": 0, "succeeded": 1}, {}, [-1, 1, "w", 0, 0, reply]]  # of no slice
    text = "\n".join(map(json.dumps, lines)) + "\n"
    place.objects.held[Layout("", run.id).outcomes(path, 0)] = text.encode()


@pytest.mark.parametrize("verb", ["suspend", "stop"])
def test_a_run_whose_last_task_ends_while_it_is_halted_goes_on_to_its_end_in_argo_too(verb: str, place: Place) -> None:
    run = naps.submit(0.0, on="argo")
    until(lambda: CREATED in place.orders)
    place.status = 200, {"status": {"phase": "Running", "nodes": {"nap": AT_WORK}}}
    halt: Callable[[], None] = getattr(run, verb)
    halt()
    until(lambda: "suspend" in place.orders)
    ends(place, run, "nap", 0.0)
    until(lambda: "resume" in place.orders, patience_s=20.0)
    ends(place, run, "on-exit", "Succeeded")
    assert run.wait(60) == "Succeeded"
    assert place.orders == [CREATED, "suspend", "resume"]


def test_a_run_that_has_failed_here_and_goes_on_in_argo_is_ended_there_by_a_cancel(place: Place) -> None:
    place.refuses = {CREATED}  # as far as it is told
    run = nap_alone.submit(on="argo")
    assert run.wait(60) == "Failed"
    place.refuses = set()
    run.cancel()
    assert place.orders == ["terminate"]


def test_a_run_that_fails_of_what_only_its_engine_knows_is_ended_in_argo(place: Place) -> None:
    run = third.submit(on="argo")
    until(lambda: CREATED in place.orders)
    ends(place, run, "few", [1, 2])
    assert run.wait(60) == "Failed"
    assert place.orders == [CREATED, "stop"]
    assert "no result" in halted(place)["why"]
