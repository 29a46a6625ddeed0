"""A user's script that mypy --strict and pyright accept, with the types that an editor completes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, assert_type

import sciflow
from sciflow import (
    Op,
    Pickled,
    Run,
    Workflow,
    choose,
    command,
    contains,
    length,
    not_,
    op,
    secret,
    sequence,
    suspend,
    text,
    when,
    workflow,
)


class Fit(NamedTuple):
    v0: float
    b0: float


class Report(TypedDict):
    best: float
    name: str


@dataclass(frozen=True)
class Settings:
    cutoff: float = 400.0


class Kind(Enum):
    FAST = "fast"


@op(retries=2, timeout_s=600, retry_on=[OSError], env={"TOKEN": secret(env="TOKEN"), "OMP_NUM_THREADS": "1"})
def energy(atoms: float, calculator: str = "emt", *, settings: Settings | None = None) -> float:
    return atoms


@op
def fit(structures: list[float], energies: list[float]) -> Fit:
    return Fit(1.0, 2.0)


@op
def mean(values: list[float | None]) -> float:
    return 0.0


@op
def report(kind: Kind, best: float) -> Report:
    return {"best": best, "name": kind.value}


@op
def write(name: str, model: Pickled[Callable[[float], float]]) -> Path:
    return Path(name)


@op(cache=True)
def read(files: list[Path], extra: dict[str, Path]) -> list[float]:
    return []


@command("packmol", "-t", "{tolerance}", stdin="recipe", outputs="packed.pdb", cpus=2)
def packmol(recipe: Path, tolerance: float = 2.0) -> Path:
    raise NotImplementedError


lammps = command("lmp", "-in", "{script}", inputs={"script": Path}, outputs={"dump": "*.dump"}, stdout="log")


@op
def tell(phase: str) -> None: ...


@workflow(on_exit=tell, timeout_s=3600, parallelism=4)
def eos(structure: Path, scales: list[float]) -> Fit:
    energies = energy.partial(calculator="emt").map(atoms=scales)
    assert_type(energies, list[float])
    assert_type(energy.product(atoms=scales, calculator=["a", "b"]), list[float])
    assert_type(energy(1.0), float)
    assert_type(energy.options(cpus=2, key="e-{atoms}")(1.0, "lj"), float)
    some = energy.options(min_success=0.9, chunk=10).map(atoms=scales)
    assert_type(some, list[float | None])
    assert_type(mean(some), float)
    fitted = fit(scales, energies)
    assert_type(fitted.b0, float)
    v0, b0 = fitted
    assert_type(v0, float)
    assert_type(report(Kind.FAST, b0)["best"], float)
    with when((fitted.b0 > 0) & not_(contains(scales, 1.0))):
        assert_type(packmol(structure), Path)
    assert_type(choose(fitted.b0 > 1, fitted.b0, 0.0), float)
    assert_type(text("relax-{n}", n=length(scales)), str)
    assert_type(sequence(3), list[int])
    answer = suspend("how many?", type=int)
    assert_type(answer, int)
    suspend("look at the plot")
    lammps(script=structure)
    write("x", abs)
    return fitted


@workflow
def countdown(n: int) -> int:
    with when(n > 0):
        rest = countdown(n - 1)
    return choose(n > 0, rest, 0)


@workflow
def many(structures: list[Path], scales: list[float]) -> list[Fit]:
    fits = eos.partial(scales=scales).map(structure=structures)
    assert_type(fits, list[Fit])
    return fits


def helper(some_op: Op[..., float], flow: Workflow[[Path, list[float]], Fit]) -> None:
    assert_type(some_op.map([1.0]), list[float])
    run: Run[Fit] = flow.run(Path("cu.cif"), [1.0])
    assert_type(run.result.b0, float)


if __name__ == "__main__":
    run = eos.options(name="copper", workers=2).run(Path("cu.cif"), scales=[0.9, 1.0])
    assert_type(run.result, Fit)
    assert_type(eos.submit(Path("cu.cif"), scales=[1.0]).result.b0, float)
    assert_type(energy.run(1.0).result, float)
    eos.plan(Path("cu.cif"), [1.0])
    helper(energy, eos)
    anything: Any = sciflow.open_run("last").result
    try:
        eos.run(Path("cu.cif"), [])
    except sciflow.InvalidInput as error:
        print(error.problems[0].fix)
