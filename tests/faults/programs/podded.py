"""Workflows for pods; what they note and wait for is as in `jobs`."""

from __future__ import annotations

import os

from sciflow import TransientError, context, op, suspend, workflow
from tests.faults.programs.jobs import square, total, wait, work


@op
def halting(x: int) -> int:
    """The fifth waits."""
    if x == 4:
        wait("go on")
    else:
        work(0.1)
    return x * x


@workflow
def halting_fan(xs: list[int]) -> int:
    return total(halting.options(chunk=3).map(x=xs))


@workflow
def spread_out(xs: list[int]) -> int:
    return total(square.options(chunk=4).map(x=xs))


@workflow
def elsewhere(x: int) -> int:
    """One of an image that does not exist, beside one that is in order, and one after that."""
    lost = square.options(name="lost", image="localhost/no-such-image:1")(x)
    fine = square.options(name="fine")(x)
    return total([lost, square.options(name="after")(fine)])


@op(memory_mb=200)
def greedy(x: int) -> int:
    """Asks for more memory than its pod may have, if it is the second."""
    work(0.1)
    taken = [b"x" * (1 << 20) for _ in range(600 * (x == 1))]
    return x + len(taken)


@workflow
def greedily(xs: list[int]) -> list[int]:
    return greedy.options(chunk=3, retries=1, backoff_s=0.1, memory_growth=2.0).map(x=xs)


@op(retries=1, backoff_s=0.05)
def second_time(x: int) -> int:
    """Fails the first time; then waits, and fails again unless it is 0."""
    if context().attempt == 1:
        work(0.05)
        raise TransientError("not yet")
    wait("go on")
    if x:
        raise TransientError("not now either")
    return x


@workflow
def second_times(xs: list[int]) -> list[int]:
    return second_time.options(chunk=2).map(x=xs)


@op
def napping(x: int) -> int:
    wait("go on")
    return x


@workflow
def heavily(xs: list[int]) -> list[int]:
    """Each in a pod that asks for as much memory as the author's environment says."""
    return napping.options(chunk=1, memory_mb=int(os.environ["MEMORY_MB"])).map(x=xs)


@workflow
def asked_between(x: int) -> int:
    """A pod, and another one after an answer."""
    answer = suspend("how many?", type=int, name="gate")
    return total([square.options(name="first")(x), square.options(name="last")(answer)])


@workflow
def naps(x: int) -> int:
    return total([napping(x)])
