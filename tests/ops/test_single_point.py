import math

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators import emt as ase_emt
from ase.constraints import FixAtoms

from sciflow_ops.calculation import Calc, Level
from sciflow_ops.calculators import CODES, find_code
from sciflow_ops.perturb import deform, rattle
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import crystal

EMT = Calc("emt")
LJ = Calc("lj", extra={"epsilon": 0.0104, "sigma": 3.4, "rc": 10.2})
MORSE = Calc("morse", extra={"epsilon": 0.35, "r0": 2.87, "rho0": 4.0})
A6, A12 = 14.45392, 12.13188  # lattice sums of fcc


def shaken(symbol):
    return rattle(bulk(symbol, cubic=True) * 2, stdev_A=0.1, seed=5)[0]


def test_a_single_point_is_what_ase_gives():
    atoms = shaken("Cu")
    found = singlepoint(atoms, calc=EMT)
    atoms.calc = ase_emt.EMT()
    assert found.energy_eV == atoms.get_potential_energy()
    assert found.free_energy_eV == atoms.get_potential_energy(force_consistent=True)
    assert np.array_equal(found.forces, atoms.get_forces())
    assert np.array_equal(found.stress, atoms.get_stress())
    assert found.version.startswith("ase 3.")
    assert found.converged
    assert found.wall_s > 0


def test_the_structure_comes_back_with_its_results_and_the_given_one_is_left_alone():
    atoms = bulk("Cu")
    atoms.info["from"] = "somewhere"
    found = singlepoint(atoms, calc=EMT)
    assert atoms.calc is None
    assert found.atoms.info == {"from": "somewhere"}
    assert found.atoms.get_potential_energy() == found.energy_eV
    assert np.array_equal(found.atoms.get_stress(), found.stress)


def test_forces_are_those_without_constraints():
    atoms = shaken("Cu")
    free = singlepoint(atoms, calc=EMT).forces
    atoms.set_constraint(FixAtoms([0, 1]))
    assert np.array_equal(singlepoint(atoms, calc=EMT).forces, free)
    assert np.abs(free[0]).max() > 0.01


@pytest.mark.parametrize(
    ("atoms", "calc"),
    [
        (shaken("Cu"), EMT),
        (shaken("Ar"), LJ),
        (shaken("Al"), MORSE),
        (shaken("Pt"), Calc("emt", extra={"asap_cutoff": True})),
    ],
    ids=["emt", "lj", "morse", "emt with asap's cutoff"],
)
def test_forces_are_the_derivatives_of_the_energy_and_add_up_to_nothing(atoms, calc):
    forces = singlepoint(atoms, calc=calc).forces
    assert forces.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-10)
    step = 1e-4
    for index, axis in ((0, 0), (3, 1), (17, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index, axis] += sign * step
            energies.append(singlepoint(moved, calc=calc).energy_eV)
        assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(forces[index, axis], abs=1e-5)


@pytest.mark.parametrize(("symbol", "calc"), [("Ar", LJ), ("Al", MORSE)], ids=["lj", "morse"])
def test_stress_is_the_derivative_of_the_energy_by_strain(symbol, calc):
    atoms = shaken(symbol)
    stress = singlepoint(atoms, calc=calc).stress
    step = 1e-5
    for component in range(6):
        unit = np.eye(6)[component] * step
        up, down = (
            singlepoint(a, calc=calc).energy_eV for a in deform(atoms, strains=[unit.tolist(), (-unit).tolist()])
        )
        assert (up - down) / (2 * step) / atoms.get_volume() == pytest.approx(stress[component], abs=1e-6)


def test_the_energy_does_not_change_under_translation_rotation_and_permutation():
    atoms = molecule("CH3CH2OH")
    energy = singlepoint(atoms, calc=EMT).energy_eV
    atoms.translate([1.0, 2.0, 3.0])
    atoms.rotate(37, (1, 2, 3))
    assert singlepoint(atoms[::-1], calc=EMT).energy_eV == pytest.approx(energy, abs=1e-10)


def test_lennard_jones_dimer_has_its_minimum_where_the_formula_says():
    """E(r_min) = -epsilon at r_min = 2^(1/6) sigma, up to the shift at the cutoff."""
    pair = Atoms("Ar2", positions=[[0, 0, 0], [2 ** (1 / 6), 0, 0]])
    found = singlepoint(pair, calc=Calc("lj", extra={"epsilon": 1.0, "sigma": 1.0, "rc": 50.0}))
    assert found.energy_eV == pytest.approx(-1.0, abs=1e-9)
    assert np.abs(found.forces).max() < 1e-9


def test_lennard_jones_fcc_has_the_energy_of_its_lattice_sums():
    """E = -A6^2 / (2 A12) = -8.6102 epsilon at a nearest-neighbour distance of 1.0902 sigma."""
    distance = (2 * A12 / A6) ** (1 / 6)
    assert distance == pytest.approx(1.0902, abs=1e-4)
    cutoff = 14.0
    atoms = crystal("Ar", prototype="fcc", a_A=distance * math.sqrt(2))
    found = singlepoint(atoms, calc=Calc("lj", extra={"epsilon": 1.0, "sigma": 1.0, "rc": cutoff}))
    density = 1 / atoms.get_volume()
    tail = -8 * math.pi * density / (3 * cutoff**3)  # beyond the cutoff, as a continuum
    inside = len(atoms) * 2 * math.pi * density * cutoff**3 / 3 * 4 * (cutoff**-12 - cutoff**-6)  # ASE's shift, undone
    assert found.energy_eV + inside + tail == pytest.approx(-8.6102, abs=2e-3)


def test_morse_dimer_has_its_depth_and_frequency():
    """E(r0) = -epsilon and E''(r0) = 2 epsilon (rho0 / r0)^2."""
    calc = Calc("morse", extra={"epsilon": 2.0, "r0": 1.5, "rho0": 5.0, "rcut1": 3.0, "rcut2": 4.0})

    def energy(distance):
        return singlepoint(Atoms("Cu2", positions=[[0, 0, 0], [distance, 0, 0]]), calc=calc).energy_eV

    assert energy(1.5) == pytest.approx(-2.0)
    step = 1e-3
    curvature = (energy(1.5 + step) - 2 * energy(1.5) + energy(1.5 - step)) / step**2
    assert curvature == pytest.approx(2 * 2.0 * (5.0 / 1.5) ** 2, rel=1e-4)


def test_stress_is_left_out_where_there_is_none_and_refused_where_it_is_asked_for():
    water = molecule("H2O", vacuum=4.0)
    assert singlepoint(water, calc=EMT).stress is None
    with pytest.raises(ValueError, match=r"emt gives no stress for OH2 with pbc \[False, False, False\]"):
        singlepoint(water, calc=EMT, properties=["stress"])


def test_what_is_not_asked_for_is_not_a_number():
    found = singlepoint(bulk("Cu"), calc=EMT, properties=["stress"])
    assert np.isnan(found.forces).all()
    assert found.forces.shape == (1, 3)
    assert found.stress is not None
    assert singlepoint(bulk("Cu"), calc=EMT, properties=["forces"]).stress is None


@pytest.mark.parametrize(
    ("calc", "said"),
    [
        (Calc("emd"), r"no code 'emd'; known: eam, emt, lj, morse, tblite \(did you mean 'emt'\?\)"),
        (
            Calc("emt", extra={"cutoff": 3}),
            r"emt has no setting 'cutoff'; known: asap_cutoff \(did you mean 'asap_cutoff'\?\)",
        ),
        (Calc("lj", extra={"epsilon": 1.0}), r"lj needs sigma: give them as Calc\('lj', extra="),
        (Calc("emt", level=Level(method="b3lyp")), "emt takes no level: leave it out; found Level"),
        (Calc("emt", level=Level()), "emt takes no level: leave it out; found Level"),
        (Calc("tblite"), r"tblite needs a level: say level=Level\(method=\.\.\.\) with one of gfn2-xtb"),
        (Calc("tblite", level=Level()), r"tblite has no method 'pbe'; say Level\(method=\.\.\.\) with one of gfn2-xtb"),
        (Calc("tblite", level=Level(method="gfn2-xtb", basis="cc-pvdz")), "tblite cannot honour the level's basis"),
        (Calc("emt", nprocs=4), "emt runs in one process; found nprocs=4"),
    ],
)
def test_a_setting_that_a_code_cannot_honour_is_refused(calc, said):
    with pytest.raises(ValueError, match=said):
        singlepoint(bulk("Cu"), calc=calc)


def test_an_element_without_parameters_is_named():
    with pytest.raises(ValueError, match="emt has no parameters for Fe in Fe; it knows Ag, Al, Au"):
        singlepoint(bulk("Fe"), calc=EMT)


def test_the_table_of_codes_says_of_each_where_it_comes_from():
    for name, code in CODES.items():
        assert find_code(name) is code
        assert code.name == name
        assert code.required <= code.settings
        assert len(code.source) > 20


def test_the_elements_of_emt_are_those_of_ase():
    assert CODES["emt"].elements == frozenset(ase_emt.parameters)
