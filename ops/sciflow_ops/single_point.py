"""Energy, forces and stress of one structure, with any code of the table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from sciflow import context, op
from sciflow_ops.calculation import Calc, Calculation, Property
from sciflow_ops.calculators import Code, find_code, make_calculator


@op
def singlepoint(atoms: Atoms, *, calc: Calc, properties: Sequence[Property] | None = None) -> Calculation:
    """Energy, forces and stress of a structure as it stands.

    Args:
        atoms: the structure; it is not changed.
        calc: code, level and settings.
        properties: what is needed beside the energy; None takes whatever the code has for this structure.
            Stress is to be had of a cell that is periodic in all three directions.

    Raises:
        ValueError: `calc` cannot compute this structure, or not these properties.
        MissingExtra: the code's package is not installed.
    """
    started = time.perf_counter()
    code = find_code(calc.code)
    wanted = _wanted(code, atoms, properties)
    frame = atoms.copy()
    frame.calc = make_calculator(calc, frame)
    return calculation(frame, code, wanted, started=started)


def calculation(
    frame: Atoms, code: Code, wanted: frozenset[str], *, started: float, converged: bool = True
) -> Calculation:
    """The record of a structure whose calculator has computed it, or will do so now."""
    from ase.calculators.singlepoint import SinglePointCalculator

    energy = float(frame.get_potential_energy())
    free_energy = float(frame.calc.results.get("free_energy", energy))
    forces = frame.get_forces(apply_constraint=False) if "forces" in wanted else None
    stress = frame.get_stress(voigt=True, apply_constraint=False) if "stress" in wanted else None
    context().needs(**{code.name: code.version})
    results = {"energy": energy, "free_energy": free_energy, "forces": forces, "stress": stress}
    final = frame.copy()
    final.calc = SinglePointCalculator(final, **{name: value for name, value in results.items() if value is not None})
    return Calculation(
        atoms=final,
        energy_eV=energy,
        free_energy_eV=free_energy,
        forces=np.full((len(final), 3), np.nan) if forces is None else np.array(forces, dtype=float),
        stress=None if stress is None else np.array(stress, dtype=float),
        converged=converged,
        scf_steps=0,
        wall_s=time.perf_counter() - started,
        code=code.name,
        version=code.version,
    )


def _wanted(code: Code, atoms: Atoms, properties: Sequence[Property] | None) -> frozenset[str]:
    possible = available(code, atoms)
    if properties is None:
        return possible
    lacking = ", ".join(sorted(set(properties) - possible))
    if lacking:
        had = ", ".join(sorted(possible)) or "the energy alone"
        raise ValueError(
            f"{code.name} gives no {lacking} for {atoms.symbols} with pbc {atoms.pbc.tolist()}; to be had: {had}"
        )
    return frozenset(properties)


def available(code: Code, atoms: Any) -> frozenset[str]:
    """What the code has of this structure beside the energy."""
    return code.provides if atoms.pbc.all() else code.provides - {"stress"}
