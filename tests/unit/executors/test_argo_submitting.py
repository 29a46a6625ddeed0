"""A run as it is submitted to Argo."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from sciflow.cli.main import exit_code
from tests.unit.executors.argo_stand_in import StandIn, missing, stand_in
from tests.unit.executors.bucket_stand_in import stand_in_bucket

FLOW = Path(__file__).with_name("flow_of_argo.py")
ALL = "/api/v1/workflows/argo"
SOME = """
from sciflow import op, workflow

@op
def double(x: int) -> int:
    return 2 * x

@workflow
def some(n: int) -> int:
    return double(n)
"""
PICTURED = """
from sciflow import op, text, workflow

@op
def double(x: int) -> int:
    return 2 * x

@workflow
def inner(n: int, code: str, other: str = "none") -> int:
    return double.options(image=text("{code}-gpu", code=code))(n)

@workflow
def outer(code: str, n: int = 1) -> list[int]:
    return [double.options(image=code)(n), *[inner(double(n), code)]]
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    monkeypatch.chdir(tmp_path)
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, _):
        table = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
        storage = {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
        monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": storage}))
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))
        yield server


def test_a_name_that_is_another_runs_is_not_taken_for_ours(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(call: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        del body, token
        if call == f"POST {ALL}":
            return 409, {"message": "already exists"}
        if not call.startswith(f"GET {ALL}/"):
            return 404, missing(call)
        name = call.rpartition("/")[2]  # as a run has it whose id is in capitals
        told = {"annotations": {"sciflow/run": name.upper()}, "labels": {"sciflow/run": name}}
        return 200, {"metadata": told, "status": {"phase": "Running"}}

    monkeypatch.setattr(server, "answer", answer)
    assert exit_code(["run", f"{FLOW}:chain", "--n", "1", "--on", "argo"]) != 0
    assert "another workflow has the name chain-" in capsys.readouterr().err


@pytest.fixture
def submitted(server: StandIn) -> Callable[[str, str], dict[str, Any]]:
    """`submitted("flow.py", text)`: the metadata of the Workflow that a run of a script becomes."""

    def metadata(name: str, text: str) -> dict[str, Any]:
        Path(name).write_text(text, "utf-8")
        server.answers[f"POST {ALL}"] = 403, {"message": "refused"}  # what there is to see has been seen by then
        assert exit_code(["run", f"{name}:some", "--n", "1", "--on", "argo"]) != 0
        found: dict[str, Any] = [body for call, body in server.told if call == f"POST {ALL}"][-1]["workflow"][
            "metadata"
        ]
        return found

    return metadata


def test_a_workflow_says_of_which_version_it_is_and_by_which_sciflow_it_was_made(
    submitted: Callable[[str, str], dict[str, Any]],
) -> None:
    made = submitted("first.py", SOME)
    assert made["labels"]["sciflow/workflow"] == "some"
    assert made["annotations"]["sciflow/made-by"] == f"sciflow {version('sciflow-hpc')}"

    def label(text: str) -> str:
        return str(submitted("first.py", text)["labels"]["sciflow/version"])

    first = made["labels"]["sciflow/version"]
    assert label(SOME) == first
    assert label(SOME.replace("return double(n)", "return double(double(n))")) != first
    assert label(SOME.replace("2 * x", "3 * x")) != first
