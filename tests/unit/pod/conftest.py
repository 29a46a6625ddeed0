from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket
from tests.unit.pod.pods import Pods


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Objects, Pods]]:
    """A bucket, and the pods of a run of which nothing is there yet."""
    with stand_in_bucket(monkeypatch) as (bucket, held):
        yield held, Pods(monkeypatch, tmp_path, repr(bucket).rpartition("/")[0])
