"""Workflows whose deployments on Argo are kept as golden files, or refused."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ase import Atoms

from sciflow import op, suspend, when, workflow


class Method(Enum):
    EMT = "emt"
    LJ = "lj"


class Cell(NamedTuple):
    a: float
    b: float = 1.0


@op
def numbers(structure: Path, n: int, method: Method) -> list[int]:
    return list(range(n))


@op
def told(phase: str) -> None: ...


@op
def double(x: int) -> int:
    return 2 * x


@workflow(on_exit=told)
def many(
    structure: Path,
    xs: list[int],
    metal: Literal["Cu", "Ni"] | None = None,
    method: Method = Method.EMT,
    cell: Cell = Cell(3.6),  # noqa: B008
    note: str = "{{workflow.name}}",
    relax: bool = False,
    atoms: Atoms = Atoms("Cu"),  # noqa: B008
) -> list[int]:
    """Every kind of input."""
    suspend("go on?", name="gate")
    with when(relax):
        double.options(locks={"one": 1})(1)
    numbers(structure, 3, method)
    return double.map(x=xs)


@workflow
def plain(n: int = 1) -> int:
    return double(n)


@workflow
def of_atoms(atoms: Atoms, json: int, größe: int = 1) -> Any:  # noqa: PLC2401
    return double(json)


@workflow
def asks(n: int = 1) -> int:
    return double(suspend("how many?", type=int, name="gate") + n)
