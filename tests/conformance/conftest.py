"""What the table needs of a place. Failing assertions of cases are told in full, though no test module has them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.services.stand_ins import StandIn

pytest.register_assert_rewrite("tests.conformance.cases", "tests.conformance.table", "tests.conformance.likeness")

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")  # it takes a tenth of a core for as long as it is there
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster of Dask with two workers, for all tests."""
    pytest.importorskip("distributed", reason="no Dask: pip install 'sciflow-hpc[dask]'")
    folder = tmp_path_factory.mktemp("dask")
    (folder / "cluster.py").write_text(CLUSTER)
    argv = [sys.executable, "cluster.py"]
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture
def pbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A queue like OpenPBS, without jobs."""
    yield from _queue("pbs", tmp_path_factory)


@pytest.fixture
def lsf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A queue like LSF, without jobs."""
    yield from _queue("lsf", tmp_path_factory)


def _queue(system: str, folders: pytest.TempPathFactory) -> Iterator[StandIn]:
    made = StandIn.make(system, folders.mktemp(system), slots=8)
    yield made
    made.close()
