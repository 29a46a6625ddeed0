"""The S3 servers of the tests do what tests of S3 rely on."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.s3 import S3Server

minio = pytest.importorskip("minio", reason="the client is not installed")
urllib3 = pytest.importorskip("urllib3")


def client(server: S3Server, **changed: Any) -> Any:
    pool = urllib3.PoolManager(timeout=5.0, retries=False)
    keys = {"access_key": server.access_key, "secret_key": server.secret_key, **changed}
    return minio.Minio(server.endpoint, secure=server.secure, region=server.region, http_client=pool, **keys)


def put(to: Any, bucket: str, key: str, content: bytes) -> None:
    to.put_object(bucket, key, io.BytesIO(content), len(content))


@pytest.fixture(params=["s3", "rclone_s3"])
def server(request: pytest.FixtureRequest) -> S3Server:
    found: S3Server = request.getfixturevalue(request.param)
    return found


def test_an_object_comes_back_as_it_was(server: S3Server) -> None:
    put(client(server), server.bucket, "a/b c/ä.txt", b"content")
    answer = client(server).get_object(server.bucket, "a/b c/ä.txt")
    assert answer.read() == b"content"
    answer.close()
    assert [entry.object_name for entry in client(server).list_objects(server.bucket, "a/", recursive=True)]


def test_a_large_object_goes_in_parts(server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789abcdef" * (1 << 20))
    client(server).fput_object(server.bucket, "large", str(tmp_path / "large"), part_size=5 << 20)
    client(server).fget_object(server.bucket, "large", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "large").read_bytes()


def test_wrong_credentials_are_refused(s3: S3Server) -> None:
    with pytest.raises(minio.error.S3Error, match=r"SignatureDoesNotMatch|AccessDenied|InvalidAccessKeyId"):
        put(client(s3, secret_key="wrong"), s3.bucket, "key", b"")


def test_a_server_that_was_killed_has_its_objects_when_it_is_back(s3: S3Server) -> None:
    put(client(s3), s3.bucket, "kept", b"content")
    s3.stop()
    with pytest.raises(urllib3.exceptions.HTTPError):
        client(s3).stat_object(s3.bucket, "kept")
    s3.start()
    assert client(s3).stat_object(s3.bucket, "kept").size == 7
    put(client(s3), s3.bucket, "after", b"more")


def test_a_frozen_server_says_nothing(s3: S3Server) -> None:
    s3.freeze()
    began = time.monotonic()
    with pytest.raises(urllib3.exceptions.HTTPError):
        client(s3).stat_object(s3.bucket, "key")
    assert time.monotonic() - began > 4.0
