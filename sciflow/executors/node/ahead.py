"""Stands for `sciflow.executors.ahead`: no worker is started where ops run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def worker_ahead() -> Iterator[None]:
    """Nothing is started."""
    yield
