"""A workflow of which one fan is run by a batch system, and the rest by pods; notes and signs are as in `jobs`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sciflow import TransientError, context, op, workflow
from tests.faults.programs.jobs import wait, work


class Drawn(NamedTuple):
    """What a task there gives back: a file, and a value that is long."""

    file: Path
    line: str


@op
def headed(text: str) -> Path:
    made = Path("head.txt")
    made.write_text(text)
    return made


@op(retries=1, backoff_s=0.1)
def drawn(x: int, head: Path) -> Drawn:
    """The third waits; the second has to be tried again."""
    print(f"drawing {x}")
    if x == 2:
        wait("go on")
    else:
        work(0.1)
    if x == 1 and context().attempt == 1:
        raise TransientError("once more")
    made = Path(f"{x}.txt")
    made.write_text(f"{head.read_text()}{x}")
    return Drawn(made, str(x) * 10_000)


@op
def measured(all_drawn: list[Drawn]) -> list[str]:
    return [f"{one.file.read_text()} {len(one.line)}" for one in all_drawn]


@workflow
def there_and_back(xs: list[int]) -> list[str]:
    there = drawn.options(executor="cluster").partial(head=headed("# ")).map(x=xs)
    return measured(there)


@workflow
def there(xs: list[int], head: Path) -> list[Drawn]:
    return drawn.options(executor="cluster").partial(head=head).map(x=xs)
