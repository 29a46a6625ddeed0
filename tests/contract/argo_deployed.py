"""Workflows that are deployed on Argo."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Literal, NamedTuple

from sciflow import choose, op, suspend, when, workflow


class Method(Enum):
    EMT = "emt"
    LJ = "lj"


class Study(NamedTuple):
    total: float
    note: str
    file: Path


@op
def words(structure: Path) -> list[str]:
    return structure.read_text().split()


@op
def energy(word: str, scale: float) -> float:
    if word == "bad":
        raise ValueError("there is no energy of it")
    return len(word) * scale


@workflow
def energies(words: list[str], scale: float) -> list[float | None]:
    """Some may fail; nothing here gathers them."""
    return energy.partial(scale=scale).options(min_success=0.5, chunk=10).map(word=words)


@op
def gathered(parts: list[float | None], note: str, metal: str, method: Method, more: int) -> Study:
    Path("note.txt").write_text(note)
    return Study(sum(part or 0 for part in parts), f"{metal} {method.name} {more}", Path("note.txt"))


@op
def twice(n: int) -> int:
    return 2 * n


@workflow
def study(
    structure: Path,
    scales: list[float],
    metal: Literal["Cu", "Ni"] = "Cu",
    method: Method = Method.EMT,
    n: int = 3,
    note: str = "",
) -> Study:
    """Energies of the words
    of a structure.

    Not for the list.
    """
    suspend("go on?", name="gate")
    found = energies(words(structure), scales[0])
    with when(n > 2):
        more = twice(n)
    return gathered(found, note, metal, method, choose(n > 2, more, 0))


@workflow
def nightly(n: int = 1) -> int:
    return twice(n)
