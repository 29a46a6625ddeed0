"""EAM from a file: a potential of known form, tabulated by the test, against its direct sum."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from sciflow_ops.calculation import Calc
from sciflow_ops.perturb import deform, rattle
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import crystal

POINTS = 2000
CUTOFF = 5.0


def density(r):
    return np.where(r < CUTOFF, np.exp(-r) * (1 - r / CUTOFF) ** 4, 0.0)


def repulsion(r):
    return np.where(r < CUTOFF, 8.0 * np.exp(-1.5 * r) * (1 - r / CUTOFF) ** 4, 0.0)


def embedding(rho):
    return -2.0 * np.sqrt(rho)


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    """The potential in LAMMPS' setfl form, of one element."""
    rho, r = np.linspace(0, 2, POINTS), np.linspace(0, CUTOFF, POINTS)
    lines = [
        "a form of the test",
        "",
        "",
        "1 Cu",
        f"{POINTS} {rho[1]:.16e} {POINTS} {r[1]:.16e} {CUTOFF}",
        "29 63.546 3.6 fcc",
    ]
    lines += [f"{value:.16e}" for column in (embedding(rho), density(r), r * repulsion(r)) for value in column]
    path = tmp_path_factory.mktemp("potential") / "Cu.eam.alloy"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_eam_file_gives_the_energy_of_its_functions_and_the_stress_of_its_energy(potential):
    atoms = rattle(crystal("Cu", a_A=3.6, cubic=True), stdev_A=0.1, seed=2)[0]
    at, distances = neighbor_list("id", atoms, CUTOFF)
    surroundings = np.bincount(at, density(distances), len(atoms))
    expected = embedding(surroundings).sum() + repulsion(distances).sum() / 2
    calc = Calc("eam", extra={"potential": potential})
    found = singlepoint(atoms, calc=calc)
    assert found.energy_eV == pytest.approx(expected, abs=1e-5)
    assert found.forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-10)
    step = 1e-4
    for component in range(6):
        unit = np.eye(6)[component] * step
        up, down = (
            singlepoint(a, calc=calc).energy_eV for a in deform(atoms, strains=[unit.tolist(), (-unit).tolist()])
        )
        assert (up - down) / (2 * step) / atoms.get_volume() == pytest.approx(found.stress[component], abs=1e-5)


def test_a_potential_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"potential of Calc\('eam'\) is no file: .*none\.eam"):
        singlepoint(crystal("Cu"), calc=Calc("eam", extra={"potential": tmp_path / "none.eam.alloy"}))
