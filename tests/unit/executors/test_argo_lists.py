"""`sciflow list --on NAME`: what is shown of runs that Argo has."""

from __future__ import annotations

import json

import pytest

from sciflow.cli.main import exit_code
from tests.unit.executors.argo_stand_in import stand_in


def test_a_run_is_one_line_whatever_somebody_has_written_for_its_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_in() as server:
        table = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))
        meta = {
            "name": "one",
            "labels": {"sciflow/name": "study"},
            "annotations": {"sciflow/run": "one\ntwo\r\x0bthree\u2028four"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        server.answers["GET /api/v1/workflows/argo"] = 200, {"items": [{"metadata": meta}]}
        assert exit_code(["list", "--on", "argo"]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.startswith("one two three four")
