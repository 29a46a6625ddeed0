"""Workflows of which pods recall what they need."""

from __future__ import annotations

from pathlib import Path

from sciflow import Workflow, op, when, workflow


@op
def numbers(n: int) -> list[int]:
    return list(range(n))


@op
def double(x: int) -> int:
    return 2 * x


@op
def total(xs: list[int]) -> int:
    return sum(xs)


@op
def doubled_or(x: int | None) -> int:
    return 2 * (x or 0)


@op
def quit_of(x: int, other: int | None = None) -> int:
    return x


@workflow
def fans(n: int) -> int:
    first = double.map(x=numbers(n))
    second = double.map(x=first)
    return total(second)


@workflow
def tolerant(n: int) -> list[int]:
    some = double.options(min_success=3).map(x=numbers(n))
    return doubled_or.map(x=some)


@workflow
def passed(n: int) -> list[int]:
    return double.map(x=inner(double.map(x=numbers(n))))


@workflow
def inner(xs: list[int]) -> list[int]:
    return double.map(x=xs)


@workflow
def cached(x: int) -> int:
    return double.options(cache=True)(x)


@op(cache=True)
def several(n: int) -> list[Path]:
    return [Path(str(i)) for i in range(n)]


@op
def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


@workflow
def read(files: list[Path]) -> list[str]:
    return names(files)


@workflow
def read_again(n: int) -> list[str]:
    return names(several(n))


@workflow
def one(x: int) -> int:
    return double(double(x))


@workflow
def fan_of_graphs(n: int) -> int:
    return total(double.map(x=one.map(x=numbers(n))))


@workflow
def summed(n: int) -> int:
    return total(double.map(x=numbers(n)))


@workflow
def fan_of_fans(ns: list[int]) -> list[int]:
    return summed.map(n=ns)


@workflow
def conditional(n: int) -> int:
    small = double(n)
    with when(small > 10):
        large = double(small)
    return quit_of(small, large)


@workflow
def tried(xs: list[int]) -> list[int]:
    return double.map(x=xs)


@workflow
def tried_twice(xs: list[int]) -> list[int]:
    return double.options(retries=1).map(x=xs)


def chain_of(steps: int) -> Workflow[[int], int]:
    """A workflow of so many nodes, each of which needs the one before."""

    @workflow
    def chain(x: int) -> int:
        for _ in range(steps):
            x = double(x)
        return x

    return chain


def fans_of(steps: int) -> Workflow[[list[int]], list[int]]:
    """The same of fans."""

    @workflow
    def chain(xs: list[int]) -> list[int]:
        for _ in range(steps):
            xs = double.map(x=xs)
        return xs

    return chain
