"""A screening in which some candidates fail: formation energies of A3B alloys.

    python tutorials/screen_alloys.py

relaxes a crystal of every A3B of nine metals (L1_2), with ASE's EMT potential, which does not know two of them. With
`min_success` the run goes on without what failed; the table still has a row for every candidate.
"""

from pathlib import Path
from typing import NamedTuple

from ase import Atoms
from ase.formula import Formula

from sciflow import op, workflow
from sciflow_ops.aggregate import Ranked, Table, gather_table, rank
from sciflow_ops.calculation import Calc
from sciflow_ops.relax import Relaxation, relax
from sciflow_ops.structures import crystal

EMT = Calc("emt")
METALS = ["Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au", "Rh", "Ir"]


class Screening(NamedTuple):
    """What comes out."""

    table: Table
    best: list[Ranked]


@op
def candidate(formula: str) -> Atoms:
    """An L1_2 crystal with the mean lattice constant of its elements."""
    edges = [float(crystal(symbol, cubic=True).cell[0, 0]) for symbol in Formula(formula)]
    return crystal(formula, prototype="l1_2", a_A=sum(edges) / len(edges))


@op
def formation_energy(alloy: Relaxation | None, pure: list[Relaxation | None]) -> float | None:
    """Energy of an alloy over that of its elements, eV per atom; None if one of them is missing."""
    energies = {str(p.atoms.symbols[0]): p.energy_eV / len(p.atoms) for p in pure if p is not None}
    if alloy is None:
        return None
    return (alloy.energy_eV - sum(energies[symbol] for symbol in alloy.atoms.symbols)) / len(alloy.atoms)


@workflow
def screen(elements: list[str], formulas: list[str]) -> Screening:
    tolerant = relax.partial(calc=EMT, dof="cell").options(min_success=0.5)
    pure = tolerant.map(atoms=crystal.map(formula=elements))
    alloys = tolerant.map(atoms=candidate.map(formula=formulas))
    energies = formation_energy.partial(pure=pure).map(alloy=alloys)
    return Screening(gather_table(formulas, energies, name="formation.csv"), rank(formulas, energies, count=8))


if __name__ == "__main__":
    run = screen.run(METALS, formulas=[f"{common}3{rare}" for common in METALS for rare in METALS if common != rare])
    table, best = run.result
    print(f"\n{len(table.rows)} candidates, {table.failed} failed; the most stable, eV per atom:")
    for alloy in best:
        print(f"{alloy.item:8}{alloy.score:+8.3f}")
    print("all of them:", Path(table.file))
