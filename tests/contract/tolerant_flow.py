"""Fans of which some slices may fail, where Argo takes the whole for failed; ends that only the result tells."""

from __future__ import annotations

from sciflow import length, not_, when, workflow
from tests.conformance.random_ops import Parts, add, fragile, lenient, told


@workflow
def unused(n: int) -> Parts:
    """Nothing comes after the fan."""
    fragile.options(min_success=1, chunk=1).map(a=[1, 3])
    return Parts(n, n > 0, 0.5, [n, n], "")


@workflow
def skipped(n: int) -> int:
    """What comes after the fan is skipped."""
    found = fragile.options(min_success=1, chunk=1).map(a=[1, 3])
    with when(length(found) > 2):
        lenient(found)
    return n


@workflow
def outer(n: int) -> int:
    """The same a level further down."""
    return skipped.options(name="deeper")(n)


@workflow
def tolerant(n: int) -> list[int]:
    """What comes after such workflows: a task, a fan, a condition."""
    parts = unused(n)
    fan = add.options(name="fan").map(a=parts.items)
    with when(not_(parts.flag)):
        add.options(name="never")(n)
    several = unused.options(name="several").map(n=[1, 2])
    return [add.options(name="last")(outer(n)), length(fan), add.options(name="more")(several[1].number)]


@workflow(on_exit=told)
def put_up_with(n: int) -> int:
    fragile.options(min_success=1, chunk=1).map(a=[1, 3])
    return n


@workflow(on_exit=told)
def without_result(n: int) -> int:
    return add.map(a=[n])[n]
