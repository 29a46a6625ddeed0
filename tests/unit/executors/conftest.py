"""A bucket that no server has, for tests of what lies in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sciflow.executors.argo.place.bucket import Bucket
from tests.unit.executors.bucket_stand_in import Objects, stand_in_bucket


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bucket, Objects]]:
    with stand_in_bucket(monkeypatch) as found:
        yield found


@pytest.fixture
def bucket(place: tuple[Bucket, Objects]) -> Bucket:
    return place[0]


@pytest.fixture
def objects(place: tuple[Bucket, Objects]) -> Objects:
    return place[1]
