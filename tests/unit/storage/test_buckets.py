"""What a bucket does besides the contract of storages."""

from __future__ import annotations

import io
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minio import Minio

from sciflow.storage.s3 import S3Storage
from tests.services.buckets import storage_at
from tests.services.s3 import S3Server


@pytest.fixture
def prefix() -> str:
    return f"buckets/{secrets.token_hex(4)}"


@pytest.fixture
def storage(s3: S3Server, tmp_path: Path, prefix: str) -> S3Storage:
    return storage_at(s3, tmp_path, prefix=prefix)


@pytest.fixture
def client(s3: S3Server) -> Minio:
    return Minio(s3.endpoint, s3.access_key, s3.secret_key, secure=False, region=s3.region)


def test_more_keys_than_fit_on_a_page_are_all_found(
    storage: S3Storage, s3: S3Server, client: Minio, prefix: str
) -> None:
    def put(number: int) -> None:
        client.put_object(s3.bucket, f"{prefix}/a/{number:04}", io.BytesIO(b""), 0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(1005)))
    assert list(storage.keys("a/")) == [f"a/{number:04}" for number in range(1005)]
    assert list(storage.keys("a/1")) == [f"a/{number:04}" for number in range(1000, 1005)]


def test_a_folder_of_many_files_is_one_object(
    storage: S3Storage, s3: S3Server, client: Minio, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(500):
        (tmp_path / "many" / f"{number}.txt").write_text(str(number))
    stored = storage.put(tmp_path / "many", lambda sha256: f"a/{sha256}")
    assert len(list(client.list_objects(s3.bucket, prefix=f"{prefix}/", recursive=True))) == 1
    storage.get(stored, tmp_path / "back")
    assert {int(file.read_text()) for file in (tmp_path / "back").iterdir()} == set(range(500))


def test_a_program_stays_one_and_a_large_file_travels_in_parts(
    storage: S3Storage, s3: S3Server, client: Minio, prefix: str, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_bytes(secrets.token_bytes((33 << 20) + 5))
    program.chmod(0o755)
    stored = storage.put(program, lambda sha256: f"a/{sha256}")
    assert str(client.stat_object(s3.bucket, f"{prefix}/{stored.key}").etag).endswith("-3")
    storage.get(stored, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == program.read_bytes()
    assert (tmp_path / "back").stat().st_mode & 0o100


def test_what_other_prefixes_hold_is_not_seen(storage: S3Storage, s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    storage_at(s3, tmp_path, prefix=f"other/{secrets.token_hex(4)}").put(tmp_path / "x", lambda _: "a/x")
    assert list(storage.keys("")) == []
    assert not storage.exists("a/x")
