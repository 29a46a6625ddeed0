"""What runs on Argo leave in the bucket and in the cluster: told, brought home, removed; and runs after it."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from minio import Minio

from sciflow.cli.main import exit_code
from sciflow.executors.argo.manifest.naming import dns_name
from tests.contract.argo_ops import naps, writes
from tests.contract.argo_place import settle_at_argo
from tests.contract.test_argo_leaving import kill_engine, phase_there, until
from tests.services.kubernetes.service import Kubernetes


@pytest.mark.kubernetes
@pytest.mark.timeout(900)
def test_what_runs_have_in_the_bucket_and_their_workflows_are_removed_and_runs_go_on_without(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prefix = f"clearing-{secrets.token_hex(4)}"
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix=prefix, keep_workflow_s=7200)
    first, at_work = writes.submit(70, on="argo"), naps.submit(300.0, on="argo")
    assert first.wait(400, check=True) == "Succeeded"
    asked = ("kubectl", "get", "workflow", dns_name(first.id), "-n", kubernetes.namespace)
    assert kubernetes.run(*asked, "-o", "jsonpath={.spec.ttlStrategy.secondsAfterCompletion}") == "7200"

    assert exit_code(["clean", "--remote", "--dry-run"]) == 0
    assert "would remove what 2 runs have left at argo (" in capsys.readouterr().err
    assert exit_code(["clean", "--keep", "0", "--phase", "Succeeded", "--dry-run"]) == 0
    assert "1 run of these left files at argo, which stay" in capsys.readouterr().err
    assert exit_code(["clean", "--remote", "--discard", "--yes"]) == 1  # one is at work
    said = capsys.readouterr().err
    assert "another engine works on this run" in said
    assert "removed what 1 run had left, " in said
    assert phase_there(kubernetes, first) == ""
    assert exit_code(["fetch", first.id, "written"]) == 2
    assert "`sciflow clean --remote` has removed what the run had there" in capsys.readouterr().err

    until(lambda: phase_there(kubernetes, at_work) == "Running", patience_s=300)
    kill_engine(at_work)
    assert exit_code(["clean", "--remote", "--discard", "--yes"]) == 1
    assert "the run is not over" in capsys.readouterr().err
    at_work.cancel()

    second = writes.submit(70, on="argo")  # the files that the cache speaks of are gone
    assert second.wait(400, check=True) == "Succeeded"
    assert second.result == 140
    until(lambda: phase_there(kubernetes, second) == "Succeeded", patience_s=300)  # it runs what was cached
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert second.output("written").read_text() == "x" * 70  # it has come home before
    assert exit_code(["fetch", second.id]) == 0
    capsys.readouterr()
    assert exit_code(["clean", "--remote", "--yes"]) == 0
    assert "nothing on other machines" in capsys.readouterr().err
    s3 = kubernetes.s3
    client = Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=False)
    assert list(client.list_objects(s3.bucket, prefix=f"{prefix}/runs/", recursive=True)) == []
