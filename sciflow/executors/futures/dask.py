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
        import dask
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("distributed", "dask", "a pool of Dask") from error
    where: dict[str, Any] = local
    pages: dict[str, Any] = {}
    if address or scheduler_file:
        where = {"address": address} if address else {"scheduler_file": scheduler_file}
    elif local.get("dashboard_address") is None:  # no page that anybody on the machine can look at
        where = {**local, "dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
        pages = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with dask.config.set(pages), Client(**where) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor(pure=False)
