"""The ops and workflows that are measured."""

from __future__ import annotations

from pathlib import Path

from benchmarks import plain
from sciflow import Workflow, op, workflow


@op
def double(x: int) -> int:
    return 2 * x


@op
def total(xs: list[int]) -> int:
    return sum(xs)


@op
def burn(cpu_s: float) -> float:
    return plain.burn(cpu_s)


@op
def stamp(source: Path) -> Path:
    return plain.stamp(source)


@workflow
def one_step(x: int) -> int:
    return double(x)


@workflow
def map_gather(xs: list[int]) -> int:
    return total(double.map(x=xs))


@workflow
def cached_map(xs: list[int]) -> int:
    return total.options(cache=True)(double.options(cache=True).map(x=xs))


@workflow
def isolated_map(xs: list[int]) -> int:
    return total(double.options(isolate=True).map(x=xs))


@workflow
def burn_map(xs: list[float]) -> list[float]:
    return burn.map(cpu_s=xs)


@workflow
def stamp_map(sources: list[Path]) -> list[Path]:
    return stamp.map(source=sources)


@workflow
def retried_map(xs: list[int]) -> int:
    return total(double.options(retries=5, backoff_s=60.0).map(x=xs))


def chain_of(steps: int) -> Workflow[[int], int]:
    """A workflow of so many nodes, each of which needs the one before."""

    @workflow
    def chain(x: int) -> int:
        for _ in range(steps):
            x = double(x)
        return x

    return chain


def fan_of(nodes: int) -> Workflow[[int], int]:
    """A workflow of so many nodes side by side, and one that needs all of them."""

    @workflow
    def fan(x: int) -> int:
        return total([double(x) for _ in range(nodes)])

    return fan
