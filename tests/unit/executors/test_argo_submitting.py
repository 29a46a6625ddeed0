"""A run as it is submitted to Argo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sciflow.cli.main import exit_code
from tests.unit.executors.argo_stand_in import stand_in
from tests.unit.executors.bucket_stand_in import stand_in_bucket

FLOW = Path(__file__).with_name("flow_of_argo.py")
ALL = "/api/v1/workflows/argo"


def test_a_name_that_is_another_runs_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, _):
        table = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
        storage = {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
        monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": storage}))
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))

        def answer(call: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
            del body, token
            if call == f"POST {ALL}":
                return 409, {"message": "already exists"}
            if not call.startswith(f"GET {ALL}/"):
                return 404, {}
            name = call.rpartition("/")[2]  # as a run has it whose id is in capitals
            told = {"annotations": {"sciflow/run": name.upper()}, "labels": {"sciflow/run": name}}
            return 200, {"metadata": told, "status": {"phase": "Running"}}

        monkeypatch.setattr(server, "answer", answer)
        assert exit_code(["run", f"{FLOW}:chain", "--n", "1", "--on", "argo"]) != 0
    assert "another workflow has the name chain-" in capsys.readouterr().err
