"""A run at Argo that somebody else has begun: what is known of it here, and what of it is not ours to remove."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sciflow
from sciflow import ConfigError, Run
from sciflow.cli.main import exit_code
from sciflow.core.job import SINGLE
from sciflow.engine.run_folder import RunFolder
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.parcels import package_parcel, runner_parcel
from tests.unit.executors.argo_stand_in import JSON, StandIn, missing, stand_in
from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket

ALL = "/api/v1/workflows/argo"
FLOW = """
from sciflow import op, workflow

@op
def double(x: int) -> int:
    return 2 * x

@workflow
def some(n: int) -> int:
    return double(n)
"""


class Cluster:
    """Argo, which has done all of a workflow when it is asked for the first time how far it is."""

    def __init__(self, server: StandIn, objects: Objects, patch: pytest.MonkeyPatch, endpoint: str) -> None:
        self.objects = objects
        self.removed: list[str] = []
        self._server = server
        self._patch = patch
        storage = {"type": "s3", "endpoint": endpoint, "bucket": "bucket"}
        patch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": storage}))
        patch.setenv("SCIFLOW_PROGRESS", "false")
        self.settle()

    def settle(self, **more: Any) -> None:
        """The settings of its executor."""
        table = {"type": "argo", "server": self._server.url, "namespace": "argo", "storage": "bucket", **more}
        self._patch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))

    def answer(self, call: str, body: JSON, token: str) -> tuple[int, JSON]:
        del token
        verb, _, path = call.partition(" ")
        name = path.removeprefix(f"{ALL}/")
        if verb == "POST":
            self.leave(body["workflow"]["metadata"]["annotations"]["sciflow/run"], 2)
            return 200, {}
        if verb == "PUT":
            self.leave(name.removesuffix("/retry"), 4)
            return 200, {}
        if path == ALL:
            return 200, {"items": []}
        if verb == "DELETE":
            self.removed.append(name)
        return self._server.answers.get(name, (404, missing(call)))

    def leave(self, run: str, value: int, *, phase: str = "Succeeded", began: float = 0.0) -> None:
        """Has the pod of a run leave its outcome, and the run's workflow end."""
        status = {"phase": phase, "finishedAt": "2020-01-01T00:00:00Z"}
        self._server.answers[run] = 200, {"metadata": {"annotations": {"sciflow/run": run}}, "status": status}
        reply = [0, 0, phase, value, began, 1.0, 0, 0]
        lines = [{"path": "double", "chunk": 0, "succeeded": 1}, {}, [SINGLE, 1, f"w{value}", 0, 0, reply]]
        self.objects.held[Layout("", run).outcomes("double", 0)] = "\n".join(map(json.dumps, lines)).encode() + b"\n"

    def forget(self) -> None:
        """Has nothing of any run any more."""
        self.objects.held.clear()
        self._server.answers.clear()

    def run(self, runs: str) -> Run[Any]:
        """A run whose folder is among those."""
        self._patch.setenv("SCIFLOW_RUNS", runs)
        Path("flow.py").write_text(FLOW)
        assert exit_code(["run", "flow.py:some", "--n", "1", "--on", "argo"]) == 0
        return sciflow.open_run("last")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    monkeypatch.chdir(tmp_path)
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, objects):
        for parcel in (runner_parcel(), package_parcel()):  # nobody needs what is in them
            objects.held[Layout("", "").code(parcel.name)] = b""
        made = Cluster(server, objects, monkeypatch, repr(bucket).rpartition("/")[0])
        monkeypatch.setattr(server, "answer", made.answer)
        yield made


@pytest.fixture
def adopted(cluster: Cluster) -> Callable[[], Run[Any]]:
    """Adopts a run that another folder of runs has begun, each time the same."""
    begun = cluster.run("author")

    def adopt() -> Run[Any]:
        run: Run[Any] = sciflow.adopt(begun.id, on="argo", runs=Path("here"))
        run.wait(30.0)
        return run

    return adopt


def test_a_run_that_was_adopted_is_read_anew_while_there_is_something_to_read(
    cluster: Cluster, adopted: Callable[[], Run[Any]]
) -> None:
    run = adopted()
    assert (run.phase, run.result_tree()) == ("Succeeded", 2)
    cluster.leave(run.id, 3)  # as after a retry elsewhere
    assert adopted().result_tree() == 3


def test_a_run_that_is_adopted_once_more_has_taken_as_long_as_before(
    cluster: Cluster, adopted: Callable[[], Run[Any]]
) -> None:
    run = adopted()
    cluster.leave(run.id, 2, began=time.time() - 0.5)
    seconds = adopted().snapshot().seconds
    assert seconds > 0
    time.sleep(1.0)
    assert adopted().snapshot().seconds == adopted().snapshot().seconds == seconds


def test_what_is_known_of_a_run_stays_when_nothing_of_it_is_left_elsewhere(
    cluster: Cluster, adopted: Callable[[], Run[Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    adopted()
    cluster.forget()
    run = adopted()
    assert (run.phase, run.result_tree()) == ("Succeeded", 2)
    assert "it is there no more; what was known of it here stays" in capfd.readouterr().err


def test_what_is_known_of_a_run_stays_when_it_cannot_be_followed(
    cluster: Cluster, adopted: Callable[[], Run[Any]]
) -> None:
    run = adopted()
    cluster.settle(token={"env": "OF_NOBODY"})
    with pytest.raises(ConfigError, match="OF_NOBODY"):
        adopted()
    assert (run.phase, run.result_tree()) == ("Succeeded", 2)


def test_what_others_have_begun_is_not_removed_by_age_nor_without_saying_so(
    cluster: Cluster, adopted: Callable[[], Run[Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    run = adopted()
    cluster.settle(cleanup="0.000001h")
    own = cluster.run("here")
    assert own.phase == "Succeeded"
    assert run.id not in cluster.removed
    assert run.id not in capfd.readouterr().err
    assert exit_code(["clean", "--remote", "--dry-run"]) == 0
    assert "what 2 runs have left at argo" in (said := capfd.readouterr().err)
    assert ", 1 of them begun elsewhere and not only yours;" in said


def test_what_others_have_begun_is_not_removed_when_it_was_gone_on_with_here(
    cluster: Cluster, adopted: Callable[[], Run[Any]]
) -> None:
    cluster.leave(adopted().id, 3, phase="Failed")
    run = adopted()
    assert run.phase == "Failed"
    cluster.settle(cleanup="on_success")
    run.retry()
    assert (run.wait(30.0), run.result_tree()) == ("Succeeded", 4)
    while RunFolder(run.folder).lock().held():  # what is removed goes after the end
        time.sleep(0.01)
    assert cluster.removed == []
    assert "on other machines" not in (run.folder / "logs" / "engine.log").read_text()  # nor was it tried


def test_where_things_lie_on_the_machine_of_who_begins_a_run_is_not_told_to_its_pods(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIFLOW_HOST", json.dumps({"vasp": "/home/me/vasp"}))
    cluster.settle(settings={"tblite": "/opt/tblite"})
    run = cluster.run("author")
    facts = json.loads(cluster.objects.held[f"runs/{run.id}/facts.json"])
    assert facts["host"] == {"tblite": "/opt/tblite"}
    assert not [key for key, data in cluster.objects.held.items() if b"/home/me/vasp" in data]
