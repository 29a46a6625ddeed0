"""Settings of runs at the cluster of the tests, as the executor `argo`."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from sciflow.executors.argo.server.reaching import make_server
from sciflow.executors.argo.server.workflows import Workflows
from sciflow.executors.settings import ArgoSettings, parse_executor
from tests.services.kubernetes.service import Kubernetes


def settle_at_argo(
    kubernetes: Kubernetes, folder: Path, monkeypatch: pytest.MonkeyPatch, *, prefix: str, **more: Any
) -> None:
    """Lets runs of this process know the executor; `prefix`: of their keys in the bucket, `more`: other settings.

    One that is None is left out.
    """
    bucket = {"type": "s3", "endpoint": kubernetes.s3.url, "bucket": kubernetes.s3.bucket, "prefix": prefix}
    table = {
        "type": "argo",
        "server": kubernetes.argo_url,
        "namespace": kubernetes.namespace,
        "token": {"env": "TOKEN_OF_ARGO"},
        "storage": "bucket",
        "base_image": kubernetes.base_image,
        "look_least_s": 0.2,
        "look_most_s": 1.0,
        **more,
    }
    table = {name: value for name, value in table.items() if value is not None}
    settings = {"STORAGES": json.dumps({"bucket": bucket}), "EXECUTORS": json.dumps({"argo": table})}
    for name, value in {**settings, "RUNS": str(folder / "runs"), "PROGRESS": "false"}.items():
        monkeypatch.setenv(f"SCIFLOW_{name}", value)
    monkeypatch.setenv("TOKEN_OF_ARGO", kubernetes.token)
    for name, value in kubernetes.s3.env.items():
        monkeypatch.setenv(name, value)


def argo_server(kubernetes: Kubernetes) -> Workflows:
    """Argo's server there, as a user of it has it."""
    with NamedTemporaryFile("w") as token:
        token.write(kubernetes.token)
        token.flush()
        table = {"type": "argo", "server": kubernetes.argo_url, "namespace": kubernetes.namespace, "storage": "bucket"}
        settings = parse_executor("argo", {**table, "token": {"file": token.name}})
        assert isinstance(settings, ArgoSettings)
        return make_server(settings)
