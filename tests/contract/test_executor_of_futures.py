"""The executor of pools keeps the contract, with Dask and with the pool of the standard library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sciflow.executors.executor import Executor
from sciflow.executors.registry import make_executor
from sciflow.testing import ExecutorContract
from tests.contract.errand import MODULE, errand_in

PROCESSES: dict[str, Any] = {
    "type": "futures",
    "factory": "concurrent.futures:ProcessPoolExecutor",
    "arguments": {"max_workers": 2},
}
DASK: dict[str, Any] = {
    "type": "futures",
    "factory": "sciflow.executors.futures.dask:pool",
    "arguments": {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50},
}


class TestProcessPool(ExecutorContract):
    name = "pool"
    module = MODULE

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        executor = make_executor("pool", {"pool": PROCESSES}, errand_in(tmp_path))
        yield executor
        executor.close()


@pytest.mark.filterwarnings("ignore")
class TestDask(ExecutorContract):
    name = "pool"
    module = MODULE

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        pytest.importorskip("distributed", reason="no Dask: pip install 'sciflow-hpc[dask]'")
        executor = make_executor("pool", {"pool": DASK}, errand_in(tmp_path))
        yield executor
        executor.close()
