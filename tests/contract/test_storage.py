"""Every storage keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from sciflow.storage.directory import DirectoryStorage
from sciflow.testing import StorageContract


class TestDirectory(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> DirectoryStorage:
        root = tmp_path / "store"
        root.mkdir()
        return DirectoryStorage(root)
