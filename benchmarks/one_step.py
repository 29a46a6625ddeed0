"""A whole program: one workflow of one op. Its argument is the folder for runs."""

from __future__ import annotations

import sys

from sciflow import op, workflow


@op
def double(x: int) -> int:
    return 2 * x


@workflow
def one_step(x: int) -> int:
    return double(x)


if __name__ == "__main__":
    assert one_step.options(runs=sys.argv[1], workers=2, progress=False).run(x=21).result == 42
