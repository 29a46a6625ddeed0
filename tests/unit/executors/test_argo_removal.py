"""What is removed of deployments and of runs, in which order, and when not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sciflow.cli.main import exit_code
from sciflow.errors import HostError
from sciflow.executors.argo.remains import clear_at_argo
from sciflow.executors.settings import ArgoSettings
from tests.unit.executors.argo_stand_in import stand_in
from tests.unit.executors.bucket_stand_in import stand_in_bucket

TEMPLATES, TIMES = "/api/v1/workflow-templates/argo", "/api/v1/cron-workflows/argo"


def described(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}


def test_what_is_cut_short_is_found_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"sciflow/deployed": "study", "sciflow/version": "1"}
    ours = {"study": TEMPLATES, "study-1": TEMPLATES}
    by_hand = described("other", **{"sciflow/deployed": "study"})
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, objects):
        table = {"type": "argo", "server": server.url, "namespace": "argo", "storage": "bucket"}
        storage = {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
        monkeypatch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": storage}))
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"argo": table}))
        objects.held["deployed/study-1/facts.json"] = b"{}"
        templates = [described(name, **labels) for name in reversed(ours)]
        server.answers[f"GET {TEMPLATES}"] = 200, {"items": [*templates, by_hand]}
        server.answers[f"GET {TIMES}"] = 200, {"items": [described("study", **labels)]}
        for place in (f"{TIMES}/study", f"{TEMPLATES}/study"):
            server.answers[f"DELETE {place}"] = 200, {}
        server.answers[f"DELETE {TEMPLATES}/study-1"] = 403, {"message": "forbidden"}
        assert exit_code(["deployed", "study", "--delete", "--on", "argo"]) != 0
        assert not objects.held  # while the template by which it is found is there
        removed = [call for call, _ in server.told if call.startswith("DELETE")]
        assert removed == [f"DELETE {TIMES}/study", f"DELETE {TEMPLATES}/study", f"DELETE {TEMPLATES}/study-1"]
        capsys.readouterr()
        assert exit_code(["deployed", "--on", "argo"]) == 0
        assert "other" not in capsys.readouterr().out
        server.answers[f"GET {TEMPLATES}"] = server.answers[f"GET {TIMES}"] = 200, {"items": []}
        assert exit_code(["deployed", "--on", "argo"]) == 0
        assert "nothing is deployed" in capsys.readouterr().err
        assert exit_code(["deployed", "nonsuch", "--delete", "--on", "argo"]) == 1
        assert "nothing is deployed under nonsuch" in capsys.readouterr().err


def test_nothing_of_a_run_is_removed_before_argo_itself_says_that_its_workflow_is_not_at_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with stand_in() as server, stand_in_bucket(monkeypatch) as (bucket, objects):
        settings = ArgoSettings(server=server.url, namespace="argo", storage="bucket")
        storage = {"type": "s3", "endpoint": repr(bucket).rpartition("/")[0], "bucket": "bucket"}
        objects.held["runs/run/facts.json"] = b"{}"
        server.page = 404, "text/plain", "default backend - 404"
        with pytest.raises(HostError, match="what answers there is not Argo's server"):
            clear_at_argo("argo", settings, {"bucket": storage}, tmp_path / "run")
        assert objects.held
        server.page = None
        assert clear_at_argo("argo", settings, {"bucket": storage}, tmp_path / "run") == 2
        assert not objects.held
