"""A sweep with averages: mixing energy of random copper-gold alloys.

    python tutorials/random_alloy.py

puts gold at random on the sites of an fcc crystal, at three compositions and with four seeds each, relaxes positions
and volume with ASE's EMT potential, and reduces the energies to a mean and a standard deviation per composition.
"""

from typing import NamedTuple

import numpy as np
from ase import Atoms

from sciflow import op, workflow
from sciflow_ops.aggregate import Group, reduce_by_key
from sciflow_ops.calculation import Calc
from sciflow_ops.perturb import rattle
from sciflow_ops.relax import Relaxation, relax
from sciflow_ops.structures import crystal, supercell

EMT = Calc("emt")


class Statistics(NamedTuple):
    """Mixing energies by number of gold atoms, eV per atom."""

    mean: list[Group]
    stdev: list[Group]


@op
def random_alloy(host: Atoms, gold: int, seed: int) -> Atoms:
    """The host with `gold` of its atoms replaced, all atoms moved a little."""
    sites = np.random.default_rng(seed).choice(len(host), size=gold, replace=False)
    alloy = host.copy()
    alloy.symbols[sites] = "Au"
    return rattle(alloy, stdev_A=0.02, seed=seed)[0]


@op
def mixing_energy(alloy: Relaxation, copper: Relaxation, gold: Relaxation) -> float:
    """Energy over that of the pure crystals, eV per atom."""
    share = alloy.atoms.symbols.count("Au") / len(alloy.atoms)
    pure = [crystal.energy_eV / len(crystal.atoms) for crystal in (copper, gold)]
    return float(alloy.energy_eV / len(alloy.atoms) - (1 - share) * pure[0] - share * pure[1])


@op
def gold_atoms(alloy: Atoms) -> int:
    return int(alloy.symbols.count("Au"))


@workflow
def mixing(counts: list[int], seeds: list[int]) -> Statistics:
    host = supercell(crystal("Cu", a_A=3.75, cubic=True), repeat=(2, 2, 2))
    alloys = random_alloy.partial(host=host).product(gold=counts, seed=seeds)  # every composition with every seed
    relaxed = relax.partial(calc=EMT, dof="positions_volume", fmax_eV_per_A=0.05).map(atoms=alloys)
    copper = relax(crystal("Cu"), calc=EMT, dof="volume")
    gold = relax(crystal("Au"), calc=EMT, dof="volume")
    energies = mixing_energy.partial(copper=copper, gold=gold).map(alloy=relaxed)
    keys = gold_atoms.map(alloy=alloys)
    return Statistics(reduce_by_key(keys, energies, how="mean"), reduce_by_key(keys, energies, how="stdev"))


if __name__ == "__main__":
    run = mixing.run(counts=[8, 16, 24], seeds=[0, 1, 2, 3])
    mean, stdev = run.result
    print("\nCu(1-x)Au(x), 32 atoms: mixing energy, meV per atom")
    for group, spread in zip(mean, stdev, strict=True):
        print(
            f"x = {group.key / 32:5.3f}   {1000 * group.value:+7.1f} ± {1000 * spread.value:.1f}   ({group.used} cells)"
        )
