"""Pools of Dask, by `factory = "sciflow.executors.futures.dask:pool"`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from sciflow.errors import MissingExtra


@contextmanager
def pool(*, address: str = "", scheduler_file: str = "", **local: Any) -> Iterator[Executor]:
    """A running cluster by its address or its scheduler's file; else one of this machine, made with these options."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("distributed", "dask", "a pool of Dask") from error
    where: dict[str, Any] = {"dashboard_address": None, **local}  # no page that anybody on the machine can look at
    if address or scheduler_file:
        where = {"address": address} if address else {"scheduler_file": scheduler_file}
    with Client(**where) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor(pure=False)
