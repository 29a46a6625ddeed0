"""A workflow whose conditions and counts rest on numbers that are found while it runs."""

from __future__ import annotations

from sciflow import choose, not_, op, sequence, when, workflow


@op
def power(n: int) -> int:
    return 2**n + 1


@op
def same(n: int) -> int:
    return n


@op
def listed(above: int | None, never: int | None, fan: list[int], deep: int) -> str:
    return f"{above} {never} {fan} {deep}"


@workflow
def down(n: int) -> int:
    """As many levels as `n` says, and no pod in any but the last."""
    with when(n > 0):
        rest = down(n - 1)
    with when(not_(n > 0)):
        end = same.options(name="end")(n)
    return choose(n > 0, rest, end)


@workflow
def counted(n: int) -> str:
    """One number that Argo is told, and one that is too large for it."""
    small, large = power.options(name="small")(n), power.options(name="large")(20 * n)
    with when(large > 2**60):
        above = same.options(name="above")(small)
    with when(large == 2**60):
        never = same.options(name="never")(small)
    fan = same.options(name="fan").map(n=sequence(small - 6))
    deep = down(small - 4)
    return listed(above, never, fan, deep)
