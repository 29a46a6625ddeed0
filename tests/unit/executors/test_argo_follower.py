"""What is told of a workflow whatever its servers answer, and when."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciflow.executors.argo.follower import Mission
from sciflow.executors.argo.news import Begin, CaughtUp, Ends, News
from tests.unit.executors.argo_follower import HERE, Shelf, following, heard, outcome, workflow
from tests.unit.executors.argo_stand_in import StandIn, stand_in

FRESH = Mission(begins=True, goes_on=True, gates=False)
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


def test_who_has_nothing_to_look_after_rests(server: StandIn, tmp_path: Path) -> None:
    with following(server, Shelf(), tmp_path, mission=FRESH):
        begun = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - begun < 0.02
