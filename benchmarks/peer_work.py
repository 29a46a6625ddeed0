"""The peers' side: the same work by other programs, each as its manual says for two workers on one machine.

Times include the import of the peer and the start and end of its workers.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import plain

Figures = dict[str, float]
Submit = Callable[..., Any]  # (function, *arguments) -> something with `result()`
BURN_S = 0.05


@contextmanager
def _pool(folder: Path) -> Iterator[Submit]:  # noqa: ARG001
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        yield pool.submit


@contextmanager
def _executorlib(folder: Path) -> Iterator[Submit]:  # noqa: ARG001
    executorlib: Any = import_module("executorlib")
    with executorlib.SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        yield executor.submit


@contextmanager
def _executorlib_isolated(folder: Path) -> Iterator[Submit]:  # noqa: ARG001
    executorlib: Any = import_module("executorlib")
    with executorlib.SingleNodeExecutor(max_workers=2) as executor:
        yield executor.submit


@contextmanager
def _parsl(folder: Path) -> Iterator[Submit]:
    parsl: Any = import_module("parsl")
    provider = import_module("parsl.providers").LocalProvider(init_blocks=1, max_blocks=1)
    executors = import_module("parsl.executors")
    executor = executors.HighThroughputExecutor(address="127.0.0.1", max_workers_per_node=2, provider=provider)
    with parsl.load(parsl.Config(executors=[executor], run_dir=str(folder / "parsl"), usage_tracking=0)) as kernel:
        yield lambda function, *args: kernel.submit(
            function, app_args=args, executors="all", cache=False, ignore_for_cache=[], app_kwargs={}
        )


@contextmanager
def _dask(folder: Path) -> Iterator[Submit]:
    distributed: Any = import_module("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(folder)
    )
    with cluster, distributed.Client(cluster) as client:
        yield lambda function, *args: client.submit(function, *args, pure=False)


POOLS = {
    "ppe": _pool,
    "executorlib": _executorlib,
    "executorlib_isolated": _executorlib_isolated,
    "parsl": _parsl,
    "dask": _dask,
}


def map_gather(pool: str, size: int, folder: Path) -> Figures:
    started = time.perf_counter()
    with POOLS[pool](folder) as submit:
        futures = [submit(plain.double, x) for x in range(size)]
        result = submit(plain.total, [future.result() for future in futures]).result()
    assert result == size * (size - 1)
    return {"seconds": time.perf_counter() - started}


def chain(pool: str, size: int, folder: Path) -> Figures:
    started = time.perf_counter()
    with POOLS[pool](folder) as submit:
        value = 0
        for _ in range(size):
            value = submit(plain.double, value).result()
    return {"seconds": time.perf_counter() - started}


def bare_burn(size: int, folder: Path) -> Figures:  # noqa: ARG001
    """Two bare processes that share the work beforehand: what the machine gives at this moment."""
    started = time.perf_counter()
    processes = [multiprocessing.Process(target=plain.burn_often, args=(BURN_S, size // 2)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "efficiency": size * BURN_S / 2 / seconds}


def bare_fork(size: int, folder: Path) -> Figures:  # noqa: ARG001
    """A fork and its end for each slice, one after the other, and nothing else."""
    started = time.perf_counter()
    for _ in range(size):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return {"seconds": time.perf_counter() - started}


def bare_files(size: int, folder: Path) -> Figures:
    """The same files copied, hashed, read and written one after the other in one process; nothing recorded."""
    sources, home = [folder / "sources" / f"{number}.txt" for number in range(size)], Path.cwd()
    sources[0].parent.mkdir(parents=True)
    for number, source in enumerate(sources):
        source.write_text(f"{number}\n" * 256)
    started = time.perf_counter()
    for number, source in enumerate(sources):
        place = folder / str(number)
        place.mkdir()
        os.chdir(place)
        taken = Path(shutil.copy(source, place / "taken.txt"))
        plain.sha256(taken)
        plain.sha256(plain.stamp(taken))
    os.chdir(home)
    return {"seconds": time.perf_counter() - started}
