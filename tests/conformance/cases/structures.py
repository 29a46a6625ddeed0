"""Structures: `ase.Atoms` arrive exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from sciflow import op, workflow
from tests.conformance.table import story


@op
def relaxed(seed: int) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=seed)
    atoms.pbc = (True, False, True)
    atoms.info["label"] = {"name": "'quoted' \"name\"", "n": np.int64(3)}
    atoms.set_constraint(FixAtoms([0, 2]))
    atoms.set_array("charge", np.array([1.0, math.nan, -0.0, 2.0]))
    atoms.set_initial_magnetic_moments([0.5, 0, 0, -0.5])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.25, forces=np.full((4, 3), 0.125))
    return atoms


@op
def echo_atoms(atoms: Atoms) -> Atoms:
    return atoms


def _same_atoms(run: Any) -> None:
    found, expected = run.result, relaxed.function(7)
    assert found == expected
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert (found.arrays[name].dtype, found.arrays[name].tobytes()) == (array.dtype, array.tobytes()), name
    assert found.cell.array.tobytes() == expected.cell.array.tobytes()
    assert found.pbc.tolist() == [True, False, True]
    assert found.info["label"] == expected.info["label"]
    assert found.constraints[0].index.tolist() == [0, 2]
    assert found.get_potential_energy() == -1.25
    assert found.get_forces(apply_constraint=False).tolist() == expected.get_forces(apply_constraint=False).tolist()


@workflow
def structures(seed: int) -> Atoms:
    return echo_atoms(relaxed(seed))


@story("structures arrive exactly: cell, periodicity, constraints, info, arrays, calculator's results")
def atoms_arrive(backend: Any) -> None:
    run = backend.run(structures, {"seed": 7})
    assert run.phase.value == "Succeeded", run.report()
    _same_atoms(run)
