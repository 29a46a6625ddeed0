"""What is put into the bucket for the pods of a run."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from sciflow.core.graph import Graph, WorkflowSpec
from sciflow.core.ports import ANY
from sciflow.executors.argo.place.bucket import Bucket
from sciflow.executors.argo.place.facts import Facts
from sciflow.executors.argo.place.layout import FACTS, Layout
from sciflow.executors.argo.place.sending import Sender
from sciflow.storage.settings import S3Settings
from tests.services.s3 import S3Server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    return Bucket("of the tests", S3Settings(endpoint=s3.url, bucket=s3.bucket))


def facts(pods: int, setup: bytes = b"{}") -> Facts:
    spec = WorkflowSpec(
        name="nothing", entry="nothing", templates={"nothing": Graph(name="nothing", inputs=(), nodes=(), output=ANY)}
    )
    return Facts(
        spec=spec, inputs={}, reuse={}, executor="argo", inline_bytes=1000, pods=pods, workers=1, bundle="", argv=[],
        setup=msgspec.Raw(setup), main=None, host={}, folders={}, executable=(), code=(),
    )  # fmt: skip


def test_as_many_pods_share_a_fan_as_when_the_run_began(bucket: Bucket, tmp_path: Path) -> None:
    layout = Layout("sending/", "run-1")
    (tmp_path / "artifacts").mkdir()
    for pods in (4, 2):  # the executor's setting when the run begins, and when it is retried
        sender = Sender(bucket, layout, tmp_path, facts(pods), {})
        sender.send()
        assert sender.pods() == 4
    assert msgspec.json.decode(bucket.get(layout.part(FACTS)) or b"", type=Facts).pods == 4


def test_who_retries_a_run_elsewhere_leaves_no_paths_of_his_machine_to_the_next(bucket: Bucket, tmp_path: Path) -> None:
    layout = Layout("sending/", "run-3")
    (tmp_path / "artifacts").mkdir()
    begun, adopted = b'{"name":"a","sys_path":["/author"]}', b'{"name":"a","sys_path":["/other/modules","/author"]}'
    for setup in (begun, adopted):
        Sender(bucket, layout, tmp_path, facts(1, setup), {}).send()
    assert bytes(msgspec.json.decode(bucket.get(layout.part(FACTS)) or b"", type=Facts).setup) == begun


def test_what_pods_import_is_compiled_for_this_python(bucket: Bucket, tmp_path: Path) -> None:
    layout = Layout("sending/", "run-2")
    (tmp_path / "artifacts").mkdir()
    sent = Sender(bucket, layout, tmp_path, facts(1), {}).send()
    for name in (sent.runner, sent.package):
        content = bucket.get(layout.code(name)) or b""
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
        modules = [one for one in names if one.endswith(".py")]
        assert {f"{one}c" for one in modules} == {one for one in names if one.endswith(".pyc")}
        (tmp_path / "sent.zip").write_bytes(content)
        code = "import sciflow.runner.pod as pod; print(pod.__file__)"
        argv = [sys.executable, "-S", "-c", code]
        env = {"PYTHONPATH": str(tmp_path / "sent.zip")}
        done = subprocess.run(argv, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout.strip().endswith("sent.zip/sciflow/runner/pod.pyc")
