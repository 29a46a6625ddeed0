"""What pods find out of the bucket, as `python3 -m sciflow.pod` does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sciflow.pod.__main__ import main
from tests.unit.executors.argo_facts import facts
from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket
from tests.unit.pod import recollection_flow as flow


class Pods:
    """Pods of one run, each with a volume of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, endpoint: str) -> None:
        self._monkeypatch = monkeypatch
        self._folder = folder
        self._s3 = {"endpoint": endpoint, "bucket": "bucket"}
        self._number = 0

    def run(self, *argv: str) -> tuple[int, Path]:
        """The exit code of a pod that has to find out this, and the folder that it leaves."""
        self._number += 1
        volume = self._folder / str(self._number)
        told = {"volume": str(volume), "runner": "runner.zip", "prefix": "", "s3": self._s3}
        self._monkeypatch.setenv("SCIFLOW_POD", json.dumps(told))
        self._monkeypatch.setenv("SCIFLOW_RUN", "run")
        self._monkeypatch.setenv("SCIFLOW_POD_UID", f"{self._number:08x}-0000-4000-8000-000000000000")
        return main(list(argv)), volume / "pod"


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Objects, Pods]]:
    with stand_in_bucket(monkeypatch) as (bucket, held):
        yield held, Pods(monkeypatch, tmp_path, repr(bucket).rpartition("/")[0])


@pytest.fixture
def pods(objects: tuple[Objects, Pods]) -> Pods:
    held, pods = objects
    told = facts(spec=flow.cached.spec(), inputs={"x": 1})
    held.held["runs/run/facts.json"] = msgspec.json.encode(told)
    return pods


def told(folder: Path) -> Any:
    return json.loads((folder / "pod.json").read_text())


def test_what_a_lost_pod_prints_and_saves_has_other_names_than_that_of_its_successor(pods: Pods) -> None:
    folders = [pods.run("bind", "double", "0")[1] for _ in range(2)]
    names = [json.loads((folder / "1" / "index.json").read_text())["name"] for folder in folders]
    assert names == ["double.0.0.00000001.1", "double.0.0.00000002.1"]


def test_a_run_that_was_cleaned_is_told_as_such(
    objects: tuple[Objects, Pods], capsys: pytest.CaptureFixture[str]
) -> None:
    assert objects[1].run("bind", "double", "0")[0] == 1
    assert "runs/run/: what the run is given is not there any more" in capsys.readouterr().err


def test_a_run_that_another_version_has_written_down_is_refused(
    objects: tuple[Objects, Pods], capsys: pytest.CaptureFixture[str]
) -> None:
    objects[0].held["runs/run/facts.json"] = b'{"format": 2, "unheard": "of"}'
    assert objects[1].run("bind", "double", "0")[0] == 1
    assert "expected: format 1\n    found:    format 2" in capsys.readouterr().err


def test_what_another_version_left_in_the_cache_is_none(pods: Pods, objects: tuple[Objects, Pods]) -> None:
    (key,) = told(pods.run("bind", "double", "0")[1])["cache"].values()
    for text in (b"no json", b'{"run": 1}'):
        objects[0].held[f"cache/{key}"] = text
        code, folder = pods.run("bind", "double", "0")
        assert code == 0
        assert told(folder)["cache"] == {"-1": key}
