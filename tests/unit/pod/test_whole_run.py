"""What a run came to, as the pods at its end find it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.layout import Layout
from sciflow.executors.argo.place.run_files import RunFiles
from sciflow.pod.brought_values import BroughtValues
from sciflow.pod.node_output import NodeOutput
from sciflow.pod.whole_run import WholeRun
from sciflow.storage.settings import S3Settings
from tests.unit.pod import recollection_flow as flow
from tests.unit.pod.test_recollection import Left


def test_a_run_whose_inputs_were_no_values_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    bucket = Bucket("none", S3Settings(endpoint="http://127.0.0.1:9", bucket="none"))  # nothing is brought
    layout = Layout("", "run")

    def told(number: int) -> NodeOutput:
        return run.told(number)

    values = BroughtValues(tmp_path, bucket, layout, RunFiles(bucket, layout), inline_bytes=4096, told=told)
    run: WholeRun = WholeRun(flow.tolerant.spec(), {}, Left({}, {}), values, pods=4)
    assert run.conclude() == (None, ["there is no value for n"])
