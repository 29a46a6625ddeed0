"""A follower with servers that stand in for Argo's and for the bucket's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sciflow.executors.argo.follow.followed import Followed
from sciflow.executors.argo.follow.follower import Follower
from sciflow.executors.argo.follow.news import News
from sciflow.executors.argo.follow.orders import Mission
from sciflow.executors.argo.follow.waiting import WaitingPods
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.settings import ArgoSettings
from tests.unit.executors.argo_stand_in import JSON, StandIn

HERE = "/api/v1/workflows/argo/run"
LAYOUT = Layout("", "run")


class Shelf(Bucket):
    """A bucket in memory; `listed` is called before its keys are told, and `fails` is raised by all that it does."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.listed: Callable[[], None] = lambda: None
        self.fails: Exception | None = None

    def __repr__(self) -> str:
        return "shelf"

    def part(self, key: str, begin: int, size: int) -> bytes | None:
        self._fail()
        data = self.objects.get(key)
        return data if data is None else data[begin : begin + size if size else None]

    def put(self, key: str, data: bytes) -> None:
        self._fail()
        self.objects[key] = data

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def fetch(self, key: str, target: Path) -> bool:
        self._fail()
        if key not in self.objects:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.objects[key])
        return True

    def list(self, prefix: str) -> dict[str, str]:
        self._fail()
        found = {key: str(hash(data)) for key, data in self.objects.items() if key.startswith(prefix)}
        self.listed()
        return found

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


class NoSupply:
    """Has nothing to send; `submits` is what creates the workflow."""

    def __init__(self, submits: Callable[[], None]) -> None:
        self.submits = submits

    def send(self) -> None:
        """Nothing."""

    def submit(self, totals: object) -> None:
        del totals
        self.submits()

    def send_answer(self, path: str, text: bytes) -> None:
        """Nothing."""


@contextmanager
def following(
    server: StandIn,
    shelf: Bucket,
    here: Path,
    *,
    mission: Mission,
    submits: Callable[[], None] = lambda: None,
    settings: ArgoSettings | None = None,
) -> Iterator[Follower]:
    """A follower of the workflow `run`; without `settings` at Argo's server."""
    workflows = make_server(settings or ArgoSettings(server=server.url, namespace="argo", storage="bucket"))
    follower = Follower(
        Followed(server=workflows, bucket=shelf, layout=LAYOUT, here=here),
        supply=NoSupply(submits),
        patience=WaitingPods(workflows, "run", limit_s=60.0, advise=lambda *_: ""),
        least_s=0.05,
        most_s=0.2,
        mission=mission,
    )
    try:
        yield follower
    finally:
        follower.close(5.0)


def heard(follower: Follower, until: Callable[[list[News]], bool]) -> list[News]:
    """All news until they are what is waited for."""
    limit, news = time.monotonic() + 10.0, list[News]()
    while not until(news):
        assert time.monotonic() < limit, news
        news += follower.news.take()
        time.sleep(0.01)
    return news


def workflow(phase: str, *, message: str = "", **spec: object) -> tuple[int, JSON]:
    """An answer of the server."""
    return 200, {"status": {"phase": phase, "message": message}, "spec": spec}


def outcome(path: str, value: int = 1) -> tuple[str, bytes]:
    """What the only task of a node has left: a key, and what is under it."""
    reply = [0, 0, "Succeeded", value, 0.0, 1.0, 0, 0]
    lines = [{"path": path, "chunk": 0, "succeeded": 1}, {}, [0, 1, "w", 0, 0, reply]]
    return LAYOUT.outcomes(path, 0), "\n".join(map(json.dumps, lines)).encode() + b"\n"
