"""What is asked of a code, and what it gives back: the records that every code shares.

`Level` is physics and knows no code; `Calc` is a level on a code; `Calculation` is the result. A study over codes or
levels is a fan over `Calc` values: `singlepoint.product(calc=[...], atoms=[...])`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Property = Literal["forces", "stress"]


class NotConverged(Exception):
    """A calculation ended, and its result must not be taken as good."""


class Level(NamedTuple):
    """Physics, independent of the code. An interatomic potential has none."""

    method: str = "pbe"  # functional, "hf", "mp2", "ccsd(t)", "gfn2-xtb", ...
    basis: str | None = None  # a family: "cc-pvdz", "gth-pbe", "molopt-dzvp-sr"
    cutoff_eV: float | None = None
    kspacing_per_A: float | None = 0.2  # 1/Å, 2 pi included
    kgrid: tuple[int, int, int] | None = None  # centred on Gamma; wins over kspacing_per_A
    smearing: Literal["none", "gaussian", "cold", "fermi"] = "none"
    width_eV: float = 0.0
    charge: int = 0  # elementary charges
    multiplicity: int | None = None  # 2 S + 1
    magmoms: tuple[float, ...] | None = None  # start values, Bohr magnetons per atom
    dispersion: str | None = None
    energy_tol_eV: float = 1e-6  # self-consistency, per atom


class Calc(NamedTuple):
    """A code, the level of theory, and what only this code understands."""

    code: str  # a key of `sciflow_ops.calculators.CODES`
    level: Level | None = None  # None for interatomic potentials; other codes say what they need of it
    extra: dict[str, Any] | None = None  # in the code's own words; goes before everything else
    nprocs: int = 1


class Calculation(NamedTuple):
    """What every code gives back for one structure."""

    atoms: Atoms  # the geometry, with energy, forces and stress attached
    energy_eV: float  # extrapolated to zero smearing where the code does so
    free_energy_eV: float  # consistent with the forces: for equations of state, elasticity, dynamics
    forces: NDArray[np.float64]  # (n_atoms, 3), eV/Å, without constraints; NaN where not asked for
    stress: NDArray[np.float64] | None  # (6,), xx yy zz yz xz xy, eV/Å^3, positive under tension; None if not to be had
    converged: bool
    scf_steps: int  # 0 where nothing is iterated
    wall_s: float
    code: str
    version: str
    corrections: tuple[str, ...] = ()  # what was changed to make it converge
    files: Path | None = None  # folder of the code's own files
