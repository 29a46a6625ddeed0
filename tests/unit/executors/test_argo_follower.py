"""What is told of a workflow whatever its servers answer, and when."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sciflow.errors import HostFailed, HostRefused, HostUnreachable, SciflowError
from sciflow.executors.argo.follow import follower as follower_module
from sciflow.executors.argo.follow.halting import Halted
from sciflow.executors.argo.follow.lookout import SETTLED_S
from sciflow.executors.argo.follow.news import (
    Answer,
    Begin,
    CaughtUp,
    End,
    Ends,
    Fetch,
    Fetched,
    News,
    Notice,
    Obeyed,
    Pause,
    Refused,
    Resume,
    Revive,
    Unreached,
)
from sciflow.executors.argo.follow.orders import Mission
from tests.unit.executors.argo_follower import HERE, LAYOUT, Shelf, following, heard, outcome, workflow
from tests.unit.executors.argo_stand_in import JSON, StandIn, stand_in

THERE = "/apis/argoproj.io/v1alpha1/namespaces/argo/workflows/run"
FRESH = Mission(begins=True, goes_on=True, gates=False)
GATE = {"name": "path", "value": "gate"}
LOOKS = Mission(begins=False, goes_on=False, gates=False)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as found:
        yield found


def looked(news: list[News]) -> list[CaughtUp]:
    return [one for one in news if isinstance(one, CaughtUp)]


def test_a_workflow_that_ends_while_the_bucket_is_read_is_over_when_all_that_it_left_is_told(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()

    def ends() -> None:
        key, text = outcome("last")
        shelf.objects[key] = text
        code, told = workflow("Succeeded")
        server.answers[f"GET {HERE}"] = code, {"status": {**told["status"], "finishedAt": "2020-01-01T00:00:00Z"}}

    shelf.listed = ends
    server.answers[f"GET {HERE}"] = workflow("Running", suspend=True)
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda news: any(one.status.ended for one in looked(news)))
    known = next(place for place, one in enumerate(news) if isinstance(one, Ends))
    ended = next(place for place, one in enumerate(news) if isinstance(one, CaughtUp) and one.status.ended)
    assert known < ended


def test_pods_that_argo_has_ended_for_the_time_of_their_workflow_have_time_to_save_what_they_did(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    pod = {"id": "a", "type": "Pod", "phase": "Failed", "message": "Step exceeded its deadline"}
    finished = datetime.now(UTC).isoformat()
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Failed", "finishedAt": finished, "nodes": {"a": pod}}}
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda news: bool(looked(news)))
        time.sleep(SETTLED_S + 0.5)
        key, text = outcome("last")
        shelf.objects[key] = text
        news += heard(follower, lambda news: any(isinstance(one, Ends) for one in news))
    assert not any(one.over for one in looked(news))


def test_who_has_nothing_to_look_after_rests(server: StandIn, tmp_path: Path) -> None:
    with following(server, Shelf(), tmp_path, mission=FRESH):
        begun = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - begun < 0.02


def test_a_refusal_says_nothing_of_a_workflow_that_may_be_at_work(server: StandIn, tmp_path: Path) -> None:
    server.answers[f"GET {HERE}"] = 401, {"message": "token not valid"}
    with following(server, Shelf(), tmp_path, mission=FRESH) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda news: any(isinstance(one, Unreached) for one in news))
    assert not any(isinstance(one, Refused) for one in news)


def test_a_workflow_that_cannot_be_submitted_is_refused(server: StandIn, tmp_path: Path) -> None:
    def forbids() -> None:
        raise HostRefused("workflows is forbidden")

    with following(server, Shelf(), tmp_path, mission=FRESH, submits=forbids) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: Refused(why="workflows is forbidden") in news)


@pytest.mark.parametrize("error", [HostFailed("upstream sent too big header"), HostRefused("forbidden")])
def test_a_workflow_that_was_submitted_though_somebody_told_that_it_was_not_is_looked_after(
    error: SciflowError, server: StandIn, tmp_path: Path
) -> None:
    def goes_through() -> None:
        server.answers[f"GET {HERE}"] = (
            200,
            {
                "metadata": {"annotations": {"sciflow/run": "run"}},
                "status": {"phase": "Running"},
            },
        )
        raise error

    fresh = Mission(begins=True, fresh=True, goes_on=True, gates=False)
    with following(server, Shelf(), tmp_path, mission=fresh, submits=goes_through) as follower:
        follower.order(begin := Begin(totals={}))
        news = heard(follower, lambda news: bool(looked(news)))
    assert _settled(news, begin)


def test_of_a_workflow_that_was_refused_nothing_is_said_before_it_is_known_that_there_is_none(
    server: StandIn, tmp_path: Path
) -> None:
    def falls_silent() -> None:
        server.page = pages.pop() if pages else None
        raise HostRefused("forbidden")

    pages = [(404, "text/plain", "default backend - 404")]
    with following(server, Shelf(), tmp_path, mission=FRESH, submits=falls_silent) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda news: any(isinstance(one, Notice) for one in news))
        assert not any(isinstance(one, Refused | Unreached) for one in news)
        server.page = None
        heard(follower, lambda news: Refused(why="forbidden") in news)


def test_another_page_in_the_place_of_a_workflow_is_waited_for(server: StandIn, tmp_path: Path) -> None:
    server.answers[f"GET {HERE}"] = workflow("Running")
    with following(server, Shelf(), tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: bool(looked(news)))
        server.page = 404, "text/plain", "default backend - 404"
        news = heard(
            follower, lambda news: any("default backend" in one.text for one in news if isinstance(one, Notice))
        )
        server.page = None
        news += heard(follower, lambda news: bool(looked(news)) and Notice(text="") in news)
    assert not any(one.status.ended for one in looked(news))


def test_files_that_are_waited_for_are_told_to_be_lost_when_nothing_can_be_done(
    server: StandIn, tmp_path: Path
) -> None:
    server.answers[f"GET {HERE}"] = 503, {"message": "not now"}
    with following(server, Shelf(), tmp_path, mission=FRESH) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: any(isinstance(one, Notice) for one in news))
        follower.order(Fetch(paths=["files/a"]))
        server.answers[f"GET {HERE}"] = 403, {"message": "forbidden: cannot get"}
        news = heard(follower, lambda news: any(isinstance(one, Unreached) for one in news))
    assert [one.paths for one in news if isinstance(one, Fetched) and "files/a" in one.lost] == [["files/a"]]


def test_a_workflow_that_is_ended_before_it_was_found_is_ended_and_what_it_left_is_told(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    key, text = outcome("first")
    shelf.objects[key] = text
    server.answers[f"GET {HERE}"] = 503, {"message": "not now"}
    for verb in ("terminate", "resume"):
        server.answers[f"PUT {HERE}/{verb}"] = 200, {}
    with following(server, shelf, tmp_path, mission=FRESH) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: any(isinstance(one, Notice) for one in news))
        follower.order(Fetch(paths=["files/a"]))
        follower.order(end := End(halt=Halted(exit_handler=False, why="enough")))
        server.answers[f"GET {HERE}"] = workflow("Running", suspend=True)
        news = heard(follower, lambda news: any(isinstance(one, Ends) for one in news))
    orders = [one.order for one in news if isinstance(one, Obeyed)]
    assert orders.index(end) < next(place for place, one in enumerate(orders) if isinstance(one, Fetch))
    assert not any(isinstance(one, Refused) for one in news)
    assert [call for call, _ in server.told if call.startswith("PUT")] == [
        f"PUT {HERE}/terminate",
        f"PUT {HERE}/resume",
    ]


def test_a_full_disk_is_waited_for_and_told(server: StandIn, tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.fails = OSError(errno.ENOSPC, "No space left on device")
    server.answers[f"GET {HERE}"] = workflow("Running")
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: any(isinstance(one, Notice) and "No space left" in one.text for one in news))
        shelf.fails = None
        heard(follower, lambda news: bool(looked(news)) and Notice(text="") in news)


def test_a_bucket_that_holds_what_no_pod_writes_is_told_and_the_run_left_as_it_is(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.objects[LAYOUT.outcomes("a", 0)] = b"<html>"
    server.answers[f"GET {HERE}"] = workflow("Running")
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        news = heard(follower, lambda news: any(isinstance(one, Unreached) for one in news))
    assert any(LAYOUT.outcomes("a", 0) in one.why for one in news if isinstance(one, Unreached))


def test_what_is_refused_of_a_workflow_keeps_nothing_after_it_from_being_done(server: StandIn, tmp_path: Path) -> None:
    server.answers[f"GET {HERE}"] = workflow("Running", suspend=True)
    server.answers[f"PUT {HERE}/suspend"] = 200, {}
    server.answers[f"PUT {HERE}/resume"] = 403, {"message": "forbidden: cannot patch"}
    with following(server, Shelf(), tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(Pause())
        follower.order(resume := Resume())
        follower.order(fetch := Fetch(paths=[]))
        news = heard(follower, lambda news: _settled(news, fetch))
    assert next(one.refusal for one in news if isinstance(one, Obeyed) and one.order is resume)


def _settled(news: list[News], order: object) -> bool:
    return any(isinstance(one, Obeyed) and one.order is order for one in news)


def test_what_has_ended_is_told_though_an_answer_cannot_be_handed_on(server: StandIn, tmp_path: Path) -> None:
    gate = {"id": "run-1", "type": "Suspend", "phase": "Running", "inputs": {"parameters": [GATE]}}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Running", "nodes": {"run-1": gate}}}
    server.answers[f"PUT {HERE}/set"] = 403, {"message": "forbidden: cannot patch"}
    asks = Mission(begins=False, goes_on=False, gates=True)
    with following(server, Shelf(), tmp_path, mission=asks) as follower:
        follower.order(Begin(totals={}))
        follower.order(Answer(path="gate", text=b"1"))
        heard(follower, lambda news: any("cannot patch" in one.text for one in news if isinstance(one, Notice)))
        heard(follower, lambda news: bool(looked(news)))


def test_a_failed_attempt_whose_pod_is_at_work_again_is_known_though_the_first_look_came_to_nothing(
    server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    key, text = outcome("a")
    shelf.objects[key] = text
    shelf.fails = HostUnreachable("not now")
    at_work = {"a-1": {"type": "Pod", "phase": "Running", "inputs": {"parameters": [{"name": "path", "value": "a"}]}}}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Running", "nodes": at_work}}
    with following(server, shelf, tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        heard(follower, lambda news: any(isinstance(one, Notice) for one in news))
        shelf.fails = None
        news = heard(follower, lambda news: any(isinstance(one, Ends) for one in news))
    assert [one.again for one in news if isinstance(one, Ends)] == [True]


def test_a_server_that_fails_after_it_was_away_for_long_is_asked_again(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "FAILED_S", 1.0)
    server.answers[f"GET {HERE}"] = 503, {"message": "not now"}
    with following(server, Shelf(), tmp_path, mission=FRESH) as follower:
        follower.order(begin := Begin(totals={}))
        heard(follower, lambda news: any(isinstance(one, Notice) for one in news))
        time.sleep(1.5)  # longer than a server may fail
        server.answers[f"GET {HERE}"] = 500, {"message": "unable to compress"}
        news = heard(follower, lambda news: any(isinstance(n, Notice) and "compress" in n.text for n in news))
        del server.answers[f"GET {HERE}"]
        news += heard(follower, lambda news: _settled(news, begin))
    assert not [one for one in news if isinstance(one, Refused | Unreached)]


def test_a_run_that_others_have_go_on_after_a_pause_is_not_told_to_go_on_once_more(
    server: StandIn, tmp_path: Path
) -> None:
    server.answers[f"PUT {HERE}/suspend"] = 200, {}
    server.answers[f"GET {HERE}"] = workflow("Running", suspend=True)
    with following(server, Shelf(), tmp_path, mission=LOOKS) as follower:
        follower.order(Begin(totals={}))
        follower.order(Pause())
        heard(follower, lambda news: any(one.status.suspended for one in looked(news)))
        server.answers[f"GET {HERE}"] = workflow("Running")
        heard(follower, lambda news: any(not one.status.suspended for one in looked(news)))
        follower.order(resume := Resume())
        heard(follower, lambda news: _settled(news, resume))
    assert f"PUT {HERE}/resume" not in [call for call, _ in server.told]


@pytest.mark.parametrize(
    ("there", "lost"), [("a", True), ("ab", False), ("b", False)], ids=["lost", "there", "skipped, and never asked for"]
)
def test_a_pod_that_has_succeeded_runs_again_if_what_it_left_is_lost(
    there: str, lost: bool, server: StandIn, tmp_path: Path
) -> None:
    shelf = Shelf()
    shelf.objects |= dict(map(outcome, there))
    pods = {path: {"type": "Pod", "phase": "Succeeded", "inputs": pod_of(path)} for path in "ab"}
    server.answers[f"GET {HERE}"] = 200, {"status": {"phase": "Succeeded", "nodes": pods}}
    server.answers[f"DELETE {HERE}"] = server.answers[f"PUT {HERE}/retry"] = 200, {}
    submitted: list[list[str]] = []

    def submits() -> None:
        submitted.append([call for call, _ in server.told if not call.startswith("GET")])

    with following(server, shelf, tmp_path, mission=LOOKS, submits=submits) as follower:
        follower.order(Begin(totals={}))
        follower.order(revive := Revive(paths=["b"]))
        heard(follower, lambda news: _settled(news, revive))
    assert submitted == ([[f"DELETE {HERE}"]] if lost else [])
    assert (f"PUT {HERE}/retry" in [call for call, _ in server.told]) is not lost


def pod_of(path: str) -> JSON:
    """The inputs of a pod that runs the first chunk of a node."""
    return {"parameters": [{"name": "path", "value": path}, {"name": "chunk", "value": "0"}]}
