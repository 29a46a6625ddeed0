"""Relaxation: the nearest minimum of energy, of positions, cell or both."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from sciflow import context, op
from sciflow_ops.calculation import Calc, NotConverged
from sciflow_ops.calculators import find_code, make_calculator
from sciflow_ops.single_point import available, calculation

Freedom = Literal[
    "none", "positions", "volume", "shape", "cell", "positions_volume", "positions_shape", "positions_cell"
]
Optimizer = Literal["BFGS", "LBFGS", "BFGSLineSearch", "FIRE", "FIRE2"]


class Relaxation(NamedTuple):
    """A `Calculation` of the final geometry, and how it was reached."""

    atoms: Atoms
    energy_eV: float
    free_energy_eV: float
    forces: NDArray[np.float64]  # (n_atoms, 3), eV/Å, without constraints
    stress: NDArray[np.float64] | None  # (6,), xx yy zz yz xz xy, eV/Å^3, positive under tension
    converged: bool
    scf_steps: int
    wall_s: float
    code: str
    version: str
    corrections: tuple[str, ...]
    files: Path | None
    steps: int
    trajectory: Path | None  # extended xyz, a frame for the start and each step


class Residual(NamedTuple):
    """How far a geometry is from its minimum, in what may move."""

    force_eV_per_A: float  # largest force on an atom
    stress_GPa: float  # largest component of the stress


@op
def relax(
    atoms: Atoms,
    *,
    calc: Calc,
    dof: Freedom = "positions",
    fmax_eV_per_A: float = 0.01,
    smax_GPa: float = 0.1,
    pressure_GPa: float = 0.0,
    max_steps: int = 500,
    optimizer: Optimizer = "BFGS",
    on_unconverged: Literal["fail", "keep"] = "fail",
    trajectory: bool = False,
) -> Relaxation:
    """Move atoms, cell or both downhill until forces and stress are small.

    Args:
        atoms: the start; it is not changed. Its constraints are kept to.
        calc: code, level and settings.
        dof: what may move. "volume" keeps the cell's shape, "shape" its volume, "cell" is both; without "positions"
            the fractional coordinates stay.
        fmax_eV_per_A: largest force on any atom that counts as converged.
        smax_GPa: largest stress component that counts as converged: of the whole tensor, for "volume" its mean, for
            "shape" what is left without its mean.
        pressure_GPa: external hydrostatic pressure, not for "shape".
        max_steps: give up after so many steps.
        optimizer: ASE's class of that name (ASE manual, "Structure optimization").
        on_unconverged: "keep" gives the last geometry back with `converged=False` and flags the task.
        trajectory: write every step to `trajectory.extxyz`.

    Raises:
        NotConverged: out of steps; the last geometry lies in `unconverged.extxyz` in the task's folder.
        ValueError: `calc` cannot compute this structure, or has no stress of it to move the cell by.
    """
    started = time.perf_counter()
    code = find_code(calc.code)
    wanted = available(code, atoms)
    _check(atoms, dof, wanted, code=code.name, pressure_GPa=pressure_GPa)
    frame = atoms.copy()
    frame.calc = make_calculator(calc, frame)
    frozen = None if "positions" in dof else _freeze(frame)
    climber = _optimizer(frame, dof, optimizer, pressure_GPa)
    path = Path("trajectory.extxyz") if trajectory else None

    for _ in climber.irun(fmax=0.0, steps=max_steps):
        residual = _residual(frame, dof, pressure_GPa)
        if path is not None:
            _append(path, frame)
        converged = residual.force_eV_per_A <= fmax_eV_per_A and residual.stress_GPa <= smax_GPa
        if converged:
            break
    if frozen is not None:
        frame.set_constraint(frozen)
    if not converged:
        limit = Residual(fmax_eV_per_A, smax_GPa)
        _report_unconverged(frame, residual, limit, steps=climber.nsteps, keep=on_unconverged == "keep")
    final = calculation(frame, code, wanted, started=started, converged=converged)
    return Relaxation(*final, steps=climber.nsteps, trajectory=path)


def _check(atoms: Atoms, dof: Freedom, wanted: frozenset[str], *, code: str, pressure_GPa: float) -> None:
    if pressure_GPa and dof in {"none", "positions", "shape", "positions_shape"}:
        raise ValueError(f"pressure_GPa={pressure_GPa:g} has no effect while the volume is fixed by dof={dof!r}")
    needed = {"forces"} | ({"stress"} if _moves_cell(dof) else set())
    lacking = ", ".join(sorted(needed - wanted))
    if lacking:
        raise ValueError(
            f"relaxing {dof!r} needs {lacking}, which {code} does not give for {atoms.symbols} with pbc "
            f"{atoms.pbc.tolist()}; a cell can only be relaxed if it is periodic in all three directions"
        )


def _moves_cell(dof: Freedom) -> bool:
    return dof not in ("none", "positions")


def _freeze(frame: Atoms) -> list[Any]:
    """Fix all atoms (they still follow the cell), and give back the constraints that were there."""
    from ase.constraints import FixAtoms

    before = list(frame.constraints)
    frame.set_constraint([*before, FixAtoms(indices=range(len(frame)))])
    return before


def _optimizer(frame: Atoms, dof: Freedom, name: Optimizer, pressure_GPa: float) -> Any:
    from ase import optimize, units
    from ase.filters import FrechetCellFilter

    target: Any = frame
    if _moves_cell(dof):
        target = FrechetCellFilter(
            frame,
            hydrostatic_strain=dof.endswith("volume"),
            constant_volume=dof.endswith("shape"),
            scalar_pressure=0.0 if dof.endswith("shape") else pressure_GPa * units.GPa,
        )
    return getattr(optimize, name)(target, logfile=None)


def _residual(frame: Atoms, dof: Freedom, pressure_GPa: float) -> Residual:
    from ase import units

    force = np.linalg.norm(frame.get_forces(), axis=1).max(initial=0.0) if "positions" in dof else 0.0
    if not _moves_cell(dof):
        return Residual(float(force), 0.0)
    stress = frame.get_stress(voigt=True, apply_constraint=False) / units.GPa
    mean = stress[:3].mean() * np.array([1, 1, 1, 0, 0, 0])
    external = -pressure_GPa * np.array([1, 1, 1, 0, 0, 0])
    balanced = mean if dof.endswith("shape") else external
    excess = (mean if dof.endswith("volume") else stress) - balanced
    return Residual(float(force), float(np.abs(excess).max()))


def _append(path: Path, frame: Atoms) -> None:
    from ase.io import write

    write(path, frame, format="extxyz", append=path.exists())


def _report_unconverged(frame: Atoms, found: Residual, limit: Residual, *, steps: int, keep: bool) -> None:
    if keep:
        context().flag(f"not converged after {steps} steps")
        return
    from ase.io import write

    write("unconverged.extxyz", frame, format="extxyz")
    force = f"force {found.force_eV_per_A:.4g} eV/Å (limit {limit.force_eV_per_A:g})"
    stress = f"stress {found.stress_GPa:.4g} GPa (limit {limit.stress_GPa:g})"
    far = [text for text, value in zip((force, stress), found, strict=True) if value > 0]
    raise NotConverged(
        f"{frame.symbols} not converged after {steps} steps: {', '.join(far)}; the last geometry is in "
        "unconverged.extxyz. Raise max_steps, take another optimizer, or keep it with on_unconverged='keep'"
    )
