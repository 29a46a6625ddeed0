"""What pods find out of the bucket, as `python3 -m sciflow.pod` does it."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects
from tests.unit.pod import recollection_flow as flow
from tests.unit.pod.pods import Pods


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
