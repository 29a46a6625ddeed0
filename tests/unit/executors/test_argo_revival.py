"""What becomes of a workflow that has ended and is to go on, or of one that is submitted in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sciflow.executors.argo.follow.news import Begin, CaughtUp, News, Obeyed, Order, Refused, Revive, Told
from sciflow.executors.argo.follow.orders import Mission
from sciflow.executors.settings import ArgoSettings
from tests.unit.executors.argo_follower import HERE, LAYOUT, Shelf, following, heard, workflow
from tests.unit.executors.argo_stand_in import JSON, StandIn, stand_in

THERE = "/apis/argoproj.io/v1alpha1/namespaces/argo/workflows/run"
BEGINS = Mission(begins=True, goes_on=True, gates=False)
LOOKS = Mission(begins=False, goes_on=False, gates=False)
GATE = {"name": "path", "value": "gate"}


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        yield found


def settled(order: Order) -> Callable[[list[News]], bool]:
    return lambda news: any(isinstance(one, Obeyed) and one.order is order for one in news)


def test_answers_are_handed_on_again_where_a_workflow_is_submitted_anew(server: StandIn, tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.objects[LAYOUT.answer("gate")] = b'{"output": 1, "folders": {}, "executable": []}'
    gate = {"id": "run-1", "type": "Suspend", "phase": "Running", "inputs": {"parameters": [GATE]}}
    waits = 200, {"status": {"phase": "Running", "nodes": {"run-1": gate}}}
    server.answers[f"GET {HERE}"] = waits
    server.answers[f"PUT {HERE}/set"] = server.answers[f"PUT {HERE}/resume"] = 200, {}

    def let_go() -> int:
        return sum(call == f"PUT {HERE}/resume" for call, _ in server.told)

    def submitted() -> None:
        server.answers[f"GET {HERE}"] = waits

    asks = Mission(begins=True, goes_on=False, gates=True)
    with following(server, shelf, tmp_path, mission=asks, submits=submitted) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda _: let_go() > 0)
        del server.answers[f"GET {HERE}"]
        news += heard(follower, lambda news: any(isinstance(one, CaughtUp) and one.status.gone for one in news))
        server.told.clear()
        follower.order(Revive())
        news += heard(follower, lambda _: let_go() > 0) + follower.news.take()
    assert [one for one in news if isinstance(one, Told)] == [Told(path="gate", text=b"1")]


def deletes(server: StandIn) -> list[JSON]:
    return [body for call, body in server.told if call.startswith("DELETE")]


@pytest.fixture
def cluster(server: StandIn, tmp_path: Path) -> ArgoSettings:
    """The same server as that of Kubernetes, without one of Argo."""
    entries = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "config").write_text(json.dumps(entries))
    return ArgoSettings(kubeconfig=str(tmp_path / "config"), namespace="argo", storage="bucket")


def kept(phase: str) -> tuple[int, JSON]:
    """A Workflow as Kubernetes has it."""
    labels = {"workflows.argoproj.io/phase": phase}
    return 200, {"metadata": {"labels": labels, "uid": "one"}, "status": {"phase": phase}}


def test_a_workflow_that_somebody_else_has_submitted_again_is_not_removed(
    server: StandIn, tmp_path: Path, cluster: ArgoSettings
) -> None:
    server.answers[f"GET {THERE}"] = kept("Running")
    with following(server, Shelf(), tmp_path, mission=LOOKS, settings=cluster) as follower:
        follower.order(Begin(totals={}))
        follower.order(revive := Revive())
        heard(follower, settled(revive))
    assert not deletes(server)


def test_only_that_workflow_is_removed_that_was_seen_to_have_ended(
    server: StandIn, tmp_path: Path, cluster: ArgoSettings
) -> None:
    server.answers[f"GET {THERE}"] = kept("Failed")
    server.answers[f"DELETE {THERE}"] = 409, {"message": "the UID in the precondition does not match"}
    with following(server, Shelf(), tmp_path, mission=LOOKS, settings=cluster) as follower:
        follower.order(Begin(totals={}))
        follower.order(revive := Revive())
        heard(follower, lambda _: bool(deletes(server)))
        server.answers[f"GET {THERE}"] = kept("Running")
        heard(follower, settled(revive))
    assert [body["preconditions"] for body in deletes(server)] == [{"uid": "one"}]


@pytest.mark.parametrize("taken", [True, False])
def test_what_was_said_of_an_end_holds_until_the_workflow_goes_on(taken: bool, server: StandIn, tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.objects[LAYOUT.part("halted")] = b'{"why": "enough"}'
    server.answers[f"GET {HERE}"] = workflow("Failed", shutdown="Stop")
    server.answers[f"PUT {HERE}/retry"] = (200, {}) if taken else (403, {"message": "forbidden: cannot patch"})
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(revive := Revive())
        news = heard(follower, settled(revive))
    assert (LAYOUT.part("halted") in shelf.objects) is not taken
    assert not [one for one in news if isinstance(one, Refused)]


def test_what_was_said_of_the_end_of_a_workflow_does_not_hold_for_one_in_its_place(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.objects[LAYOUT.part("halted")] = b'{"why": "enough"}'
    with following(server, shelf, tmp_path, mission=BEGINS) as follower:
        follower.order(begin := Begin(totals={}))
        heard(follower, settled(begin))
    assert not shelf.objects
