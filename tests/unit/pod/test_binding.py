"""What pods find out of the bucket, as `python3 -m sciflow.pod` does it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sciflow import Workflow
from sciflow.runner.exit_codes import SOME_FAILED, UNREACHABLE
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects
from tests.unit.pod import recollection_flow as flow
from tests.unit.pod.pods import Pods, told


@pytest.fixture
def pods(place: tuple[Objects, Pods]) -> Pods:
    held, pods = place
    told = facts(spec=flow.cached.spec(), inputs={"x": 1})
    held.held["runs/run/facts.json"] = msgspec.json.encode(told)
    return pods


def test_what_a_lost_pod_prints_and_saves_has_other_names_than_that_of_its_successor(pods: Pods) -> None:
    folders = [pods.run("bind", "double", "0")[1] for _ in range(2)]
    names = [json.loads((folder / "1" / "index.json").read_text())["name"] for folder in folders]
    assert names == ["double.0.0.00000001.1", "double.0.0.00000002.1"]


def test_a_run_that_was_cleaned_is_told_as_such(
    place: tuple[Objects, Pods], capsys: pytest.CaptureFixture[str]
) -> None:
    assert place[1].run("bind", "double", "0")[0] == 1
    assert "runs/run/: what the run is given is not there any more" in capsys.readouterr().err


def test_a_run_that_another_version_has_written_down_is_refused(
    place: tuple[Objects, Pods], capsys: pytest.CaptureFixture[str]
) -> None:
    place[0].held["runs/run/facts.json"] = b'{"format": 2, "unheard": "of"}'
    assert place[1].run("bind", "double", "0")[0] == 1
    assert "expected: format 1\n    found:    format 2" in capsys.readouterr().err


@pytest.mark.parametrize("long", [False, True], ids=["a file", "a long value"])
def test_a_pod_to_which_something_else_comes_than_was_left_is_replaced(
    long: bool, place: tuple[Objects, Pods], capsys: pytest.CaptureFixture[str]
) -> None:
    path = "values/1" if long else "artifacts/1"
    there: dict[str, Any] = {"sha256": "0" * 64, "size": 9}
    there |= {"$": "value", "file": path, "at": 0} if long else {"$": "artifact", "path": path, "kind": "file"}
    told = facts(spec=flow.read.spec(), inputs={"files": there if long else [there]})
    place[0].held |= {"runs/run/facts.json": msgspec.json.encode(told), f"runs/run/{path}": b"<html>..."}
    assert place[1].run("bind", "names", "0")[0] == UNREACHABLE
    assert path in capsys.readouterr().err


def begin(place: tuple[Objects, Pods], work: Workflow[..., Any]) -> None:
    """A run of three tasks in one pod."""
    told = facts(spec=work.spec(), inputs={"xs": [1, 2, 3]}, pods=1)
    place[0].held["runs/run/facts.json"] = msgspec.json.encode(told)


def saved(place: tuple[Objects, Pods], *ends: tuple[int, int, str]) -> None:
    """What a pod has saved: slice, attempt and phase of each end."""
    error = {"error": {"type": "sciflow:Died", "kind": "died"}}
    lines: list[Any] = [{"path": "double", "chunk": 0, "generation": 0, "succeeded": 0}, {}]
    for slice_, attempt, phase in ends:
        output, extra = (1, None) if phase == "Succeeded" else (None, error)
        lines.append([slice_, attempt, "w", 0, 0, [0, 0, phase, output, 1.0, 0.1, 0, 0, extra]])
    place[0].held["runs/run/outcomes/double/0"] = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def tasks(place: tuple[Objects, Pods], *, replaced: int) -> list[list[int]]:
    """Slice and attempt of the tasks of the next pod."""
    code, folder = place[1].run("bind", "double", "0", replaced=replaced)
    assert code == 0
    return list(told(folder).get("tasks", {}).values())


def test_tasks_that_have_failed_for_good_are_not_run_again_by_a_pod_that_replaces_a_lost_one(
    place: tuple[Objects, Pods],
) -> None:
    begin(place, flow.tried)
    saved(place, (0, 1, "Succeeded"), (1, 1, "Failed"))
    code, folder = place[1].run("bind", "double", "0", replaced=1)
    assert code == 0
    assert list(told(folder)["tasks"].values()) == [[2, 1]]
    assert told(folder)["earlier"]["failed"] == 1
    saved(place, (0, 1, "Succeeded"), (1, 1, "Failed"), (2, 1, "Succeeded"))
    assert told(place[1].run("bind", "double", "0", replaced=2)[1])["code"] == SOME_FAILED


def test_tasks_that_were_to_be_tried_again_are_tried_by_a_pod_that_replaces_a_lost_one(
    place: tuple[Objects, Pods],
) -> None:
    begin(place, flow.tried_twice)
    saved(place, (0, 1, "Failed"), (1, 1, "Failed"), (1, 2, "Failed"))
    assert tasks(place, replaced=1) == [[0, 2], [2, 1]]


def test_a_pod_that_replaces_a_lost_one_tries_what_the_run_was_retried_for(place: tuple[Objects, Pods]) -> None:
    begin(place, flow.tried)
    saved(place, (0, 1, "Failed"), (1, 1, "Succeeded"), (2, 1, "Succeeded"))
    assert tasks(place, replaced=0) == [[0, 2]]  # the run was retried; this pod is lost, and has saved nothing
    assert tasks(place, replaced=1) == [[0, 2]]
    saved(place, (0, 1, "Failed"), (1, 1, "Succeeded"), (2, 1, "Succeeded"), (0, 2, "Failed"))
    assert tasks(place, replaced=2) == []
    assert tasks(place, replaced=0) == [[0, 3]]  # retried once more
