"""Answers for suspended nodes: when Argo is told of them, and when they are taken for told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.executors.argo.follow.follower import Follower
from sciflow.executors.argo.follow.news import Answer, Begin, CaughtUp, News, Notice, Obeyed, Order, Revive
from sciflow.executors.argo.follow.orders import Mission
from tests.unit.executors.argo_follower import HERE, Shelf, following, heard
from tests.unit.executors.argo_stand_in import JSON, StandIn, stand_in

ASKS = Mission(begins=False, goes_on=False, gates=True)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        for verb in ("set", "resume", "retry"):
            found.answers[f"PUT {HERE}/{verb}"] = 200, {}
        yield found


def node(phase: str, answer: str = "", *, path: str = "gate") -> JSON:
    """A suspension, and what it was told."""
    told = {"outputs": {"parameters": [{"name": "answer", "value": answer}]}} if answer else {}
    return {"type": "Suspend", "phase": phase, "inputs": {"parameters": [{"name": "path", "value": path}]}, **told}


def shows(server: StandIn, *nodes: JSON, phase: str = "Running") -> None:
    """How the workflow is from now on."""
    named = {f"run-{i}": {"id": f"run-{i}", **one} for i, one in enumerate(nodes)}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": phase, "nodes": named}}


def released(server: StandIn) -> list[str]:
    """Nodes that were let go."""
    return [body["nodeFieldSelector"] for call, body in server.told if call == f"PUT {HERE}/resume"]


def settled(news: list[News], order: Order) -> bool:
    return any(isinstance(one, Obeyed) and one.order is order for one in news)


def two_looks(follower: Follower) -> list[News]:
    return heard(follower, lambda news: sum(isinstance(one, CaughtUp) for one in news) > 1)


def test_an_answer_is_handed_on_to_a_node_that_waits_again_after_somebody_has_let_it_go_without(
    server: StandIn, tmp_path: Path
) -> None:
    shows(server, node("Succeeded", "none"))  # and what waits again has not yet begun
    with following(server, Shelf(), tmp_path, mission=ASKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(answer := Answer(path="gate", text=b"1"))
        assert not settled(two_looks(follower), answer)
        shows(server, node("Succeeded", "none"), node("Running"))
        heard(follower, lambda _: "id=run-1" in released(server))
        shows(server, node("Succeeded", "none"), node("Succeeded", "given"))
        heard(follower, lambda news: settled(news, answer))


def test_an_answer_to_which_a_workflow_did_not_come_before_it_ended_is_handed_on_when_it_goes_on(
    server: StandIn, tmp_path: Path
) -> None:
    shows(server, node("Failed"), phase="Failed")
    with following(server, Shelf(), tmp_path, mission=ASKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(answer := Answer(path="gate", text=b"1"))
        heard(follower, lambda news: settled(news, answer))
        follower.order(Revive())
        shows(server, node("Running"))
        heard(follower, lambda _: "id=run-0" in released(server))


def test_an_answer_that_is_refused_keeps_no_other_from_being_handed_on(server: StandIn, tmp_path: Path) -> None:
    takes = server.answer

    def refuses_one(call: str, body: JSON, token: str) -> tuple[int, JSON]:
        refused = call.startswith("PUT") and "id=run-0" in json.dumps(body)
        return (403, {"message": "forbidden: cannot patch"}) if refused else takes(call, body, token)

    server.answer = refuses_one  # type: ignore[method-assign]
    shows(server, node("Running"), node("Running", path="other"))
    with following(server, Shelf(), tmp_path, mission=ASKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(Answer(path="gate", text=b"1"))
        follower.order(Answer(path="other", text=b"2"))
        heard(follower, lambda _: "id=run-1" in released(server))
        heard(follower, lambda news: any("cannot patch" in one.text for one in news if isinstance(one, Notice)))
