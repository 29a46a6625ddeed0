"""Every storage keeps the contract."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from sciflow.storage.directory import DirectoryStorage
from sciflow.storage.s3 import S3Storage
from sciflow.testing import StorageContract
from tests.services.buckets import storage_at
from tests.services.s3 import S3Server


class TestDirectory(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> DirectoryStorage:
        root = tmp_path / "store"
        root.mkdir()
        return DirectoryStorage(root)


class TestSeaweed(StorageContract):
    @pytest.fixture
    def storage(self, s3: S3Server, tmp_path: Path) -> S3Storage:
        return storage_at(s3, tmp_path, prefix=f"contract/{secrets.token_hex(4)}")


class TestRclone(StorageContract):
    @pytest.fixture
    def storage(self, rclone_s3: S3Server, tmp_path: Path) -> S3Storage:
        return storage_at(rclone_s3, tmp_path, prefix=f"contract/{secrets.token_hex(4)}")
