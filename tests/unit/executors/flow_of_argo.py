"""Workflows whose manifests for Argo are kept as golden files."""

from __future__ import annotations

from typing import NamedTuple

from sciflow import choose, command, op, secret, suspend, when, workflow


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
def lenient(xs: list[int | None]) -> int:
    return sum(x for x in xs if x is not None)


@op
def note(phase: str) -> None:
    print(phase)


@workflow
def chain(n: int) -> int:
    return double(double(double(n)))


@workflow
def fan(n: int) -> int:
    """A fan known only while running, one over constants, and what gathers both."""
    known = double.options(chunk=2, locks={"licence": 2}).map(x=[1, 2, 3, 4, 5])
    later = double.options(min_success=0.5).map(x=numbers(n))
    return total([lenient(later), total(known)])


@workflow
def dispatched(n: int) -> int:
    """Two fans that a batch system runs, of which one has a list that only the run knows."""
    on_cluster = double.options(executor="hpc", cpus=8, chunk=2, parallelism=3)
    return total([total(on_cluster.map(x=[1, 2, 3])), total(on_cluster.options(name="later").map(x=numbers(n)))])


@workflow
def condition(n: int) -> int:
    doubled = double(n)
    with when(doubled > 10):
        small = double.options(name="in")(doubled)
    return choose(doubled > 10, small, doubled)


@workflow
def inner(n: int) -> int:
    return total(double.map(x=numbers(n)))


@workflow
def subgraphs(ns: list[int]) -> int:
    return total(inner.map(n=ns))


@workflow
def review(n: int) -> float:
    return total([double(n), suspend("go on with which number?", type=int, name="ask")])


@workflow(on_exit=note, timeout_s=600, parallelism=2)
def handled(n: int) -> int:
    return double(n)


@op(env={"TOKEN": secret(env="MP_API_KEY"), "LEVEL": "3"})
def looked_up(n: int) -> int:
    return n


@command("convert", "{n}", stdout="result", image="tools:1.2", memory_mb=500, env={"TOKEN": secret(env="MP_API_KEY")})
def converted(n: int) -> str: ...


@command("printf", "%s", "{n}", stdout="result")
def printed(n: str) -> str: ...


@workflow
def programs(n: int) -> str:
    """One in an image of its own, and one in the base image."""
    return printed(converted(n))


@workflow
def demanding(n: int) -> int:
    """Nodes of one op that differ in what they ask for, and one with a secret."""
    small = double.options(cpus=2, memory_mb=500)(n)
    large = double.options(gpus=1, gpu_type="amd.com/gpu", image="tools:1.2")(small)
    return looked_up(large)


class Fit(NamedTuple):
    v0: float
    b0: float


@op
def fitted(xs: list[int], order: int = 3) -> Fit:
    return Fit(float(sum(xs)), float(order))


@workflow
def sweep(xs: list[int]) -> float:
    """A fan with keys and a parallelism, and an op of several outputs."""
    return fitted.options(key="fit")(double.options(key="double-{item}", parallelism=4).map(x=xs)).b0


@workflow
def long(xs: list[int]) -> list[int]:
    for _ in range(400):
        xs = double.map(x=xs)
    return xs


@workflow
def double_2(n: int) -> int:
    return double.options(locks={"a": 2})(n)


@op
def sciflow_plan(n: int) -> int:
    return n


@workflow
def fans(ns: list[int]) -> list[int]:
    return double.options(parallelism=4).map(x=ns)


@workflow
def fans_double_fan(ns: list[int]) -> list[int]:
    return fans(ns)


@workflow
def alike(n: int) -> list[int]:
    """Names that would become the same: of templates, of tasks, and of locks."""
    first = double.options(cpus=2, name="x")(n)
    second = double.options(cpus=3, name="x_plan", locks={"a-1": 1})(first)
    return fans_double_fan(numbers(double_2(sciflow_plan(second))))
