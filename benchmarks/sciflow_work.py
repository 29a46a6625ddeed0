"""sciflow's side of every row: each function does one piece of work in this process and tells what it took.

Times include the first import of what a run needs, the run's folder and the start and end of the workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import ops
from sciflow import Run, Workflow

Figures = dict[str, float]
BURN_S = 0.05


def _timed(
    target: Workflow[..., Any], inputs: Mapping[str, Any], folder: Path, *, durable: bool | None = None
) -> tuple[float, Run[Any]]:
    """Seconds from the call of `run` until the result is there, and the run."""
    settings = target.options(runs=folder, workers=2, progress=False, durable=durable)
    started = time.perf_counter()
    run = settings.run(**inputs)
    run.result  # noqa: B018  reads and decodes it
    return time.perf_counter() - started, run


def map_gather(size: int, folder: Path, *, durable: bool | None = None) -> Figures:
    seconds, run = _timed(ops.map_gather, {"xs": list(range(size))}, folder, durable=durable)
    assert run.result == size * (size - 1)
    return {"seconds": seconds}


def chain(size: int, folder: Path, *, durable: bool | None = None) -> Figures:
    seconds, run = _timed(ops.chain_of(size), {"x": 0}, folder, durable=durable)
    assert run.result == 0
    return {"seconds": seconds}


def files(size: int, folder: Path) -> Figures:
    sources = [folder / "sources" / f"{number}.txt" for number in range(size)]
    sources[0].parent.mkdir(parents=True)
    for number, source in enumerate(sources):
        source.write_text(f"{number}\n" * 256)
    seconds, run = _timed(ops.stamp_map, {"sources": sources}, folder / "runs")
    assert len({path.read_bytes() for path in run.result}) == size
    return {"seconds": seconds}


def burn(size: int, folder: Path) -> Figures:
    seconds, run = _timed(ops.burn_map, {"xs": [BURN_S] * size}, folder)
    return {"seconds": seconds, "efficiency": sum(run.result) / 2 / seconds}


def isolated(size: int, folder: Path) -> Figures:
    seconds, run = _timed(ops.isolated_map, {"xs": list(range(size))}, folder)
    assert run.result == size * (size - 1)
    return {"seconds": seconds}


def cached(size: int, folder: Path) -> Figures:
    """The first time in a folder everything runs, after that nothing does."""
    seconds, run = _timed(ops.cached_map, {"xs": list(range(size))}, folder)
    return {"seconds": seconds, "ran": _ran(run)}


def edited(size: int, folder: Path) -> Figures:
    """One element is new: its slice and the gathering op run."""
    new = time.time_ns()
    seconds, run = _timed(ops.cached_map, {"xs": [*range(1, size), new]}, folder)
    assert run.result == size * (size - 1) + 2 * new
    return {"seconds": seconds, "ran": _ran(run)}


def _ran(run: Run[Any]) -> float:
    steps = run.snapshot().steps
    return sum((step.total or 0) - step.cached for step in steps)


def trace(size: int, folder: Path, *, shape: Callable[[int], Workflow[[int], int]] = ops.chain_of) -> Figures:  # noqa: ARG001
    from sciflow.core.validate import validate  # what is measured is the work, not the first import of its modules

    shape(1).spec()
    started, cpu = time.perf_counter(), time.process_time()
    spec = shape(size).spec()
    traced = time.perf_counter()
    figures = {"seconds": traced - started, "spec_cpu_s": time.process_time() - cpu}
    assert not validate(spec)
    return figures | {"validate_s": time.perf_counter() - traced}


map_full, map_normal = partial(map_gather, durable=True), partial(map_gather, durable=False)
chain_full, chain_normal = partial(chain, durable=True), partial(chain, durable=False)
trace_fan = partial(trace, shape=ops.fan_of)
