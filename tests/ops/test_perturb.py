import numpy as np
import pytest
from ase.build import bulk, molecule

from sciflow_ops.calculation import Calc
from sciflow_ops.perturb import deform, rattle, scale_volume, strain, vacancy
from sciflow_ops.relax import relax
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import write_structures

EMT = Calc("emt")


def test_strained_structures_have_the_volumes_asked_for_and_the_same_fractions():
    cell = bulk("Cu", cubic=True)
    scales = [0.9, 1.0, 1.1]
    for scale, strained in zip(scales, strain(cell, scales=scales), strict=True):
        assert strained.get_volume() / cell.get_volume() == pytest.approx(scale, rel=1e-12)
        assert strained.get_scaled_positions() == pytest.approx(cell.get_scaled_positions())
        assert strained == scale_volume(cell, volume_scale=scale)
    assert cell == bulk("Cu", cubic=True)


def test_a_file_can_be_strained_as_well_as_a_structure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_structures([bulk("Cu")], format="vasp")
    (strained,) = strain(path, scales=[1.1])
    assert strained.get_volume() == pytest.approx(1.1 * bulk("Cu").get_volume())


def test_what_has_no_volume_cannot_be_scaled():
    with pytest.raises(ValueError, match="positive number only"):
        scale_volume(bulk("Cu"), volume_scale=0.0)
    with pytest.raises(ValueError, match="positive number only"):
        scale_volume(molecule("H2O"), volume_scale=1.1)


def test_a_deformation_is_symmetric_and_its_shear_is_the_engineering_one():
    cell = bulk("Cu", cubic=True)
    (sheared,) = deform(cell, strains=[[0.01, 0, 0, 0.004, 0, 0]])
    change = np.linalg.solve(cell.cell.array, sheared.cell.array)
    assert change == pytest.approx(change.T)
    assert change[0, 0] == pytest.approx(1.01)
    assert change[1, 2] == pytest.approx(0.002)
    with pytest.raises(ValueError, match="six numbers"):
        deform(cell, strains=[[0.01]])


def test_stress_is_the_derivative_of_the_energy_by_each_strain():
    cell = rattle(bulk("Cu", cubic=True, a=3.65), stdev_A=0.1, seed=1)[0]
    stress = singlepoint(cell, calc=EMT).stress
    step = 1e-5
    for component in range(6):
        unit = np.eye(6)[component] * step
        up, down = (singlepoint(s, calc=EMT).energy_eV for s in deform(cell, strains=[unit.tolist(), (-unit).tolist()]))
        assert (up - down) / (2 * step) / cell.get_volume() == pytest.approx(stress[component], abs=1e-7)


def test_random_displacements_have_the_deviation_asked_for():
    cell = bulk("Cu", cubic=True) * 4
    for copy in rattle(cell, count=3, stdev_A=0.1, seed=7):
        moves = copy.positions - cell.positions
        assert moves.std() == pytest.approx(0.1, rel=3 / np.sqrt(2 * moves.size))
        assert moves.mean() == pytest.approx(0.0, abs=3 * 0.1 / np.sqrt(moves.size))


def test_the_same_seed_gives_the_same_bits_and_a_longer_list_begins_alike():
    cell = bulk("Cu", cubic=True)
    first = rattle(cell, count=2, seed=3, cell_strain=0.01)
    longer = rattle(cell, count=5, seed=3, cell_strain=0.01)
    for before, after in zip(first, longer, strict=False):
        assert before.positions.tobytes() == after.positions.tobytes()
        assert before.cell.array.tobytes() == after.cell.array.tobytes()
    assert not np.allclose(longer[0].positions, longer[1].positions)
    assert not np.allclose(rattle(cell, seed=4)[0].positions, rattle(cell, seed=3)[0].positions)


def test_no_two_displaced_atoms_come_closer_than_allowed():
    cell = bulk("Cu", cubic=True)
    for copy in rattle(cell, count=10, stdev_A=0.3, min_distance_A=2.0, seed=0):
        distances = copy.repeat(2).get_all_distances(mic=True)
        assert distances[distances > 0].min() >= 2.0
    with pytest.raises(ValueError, match=r"always came closer than min_distance_A=2\.9"):
        rattle(cell, stdev_A=0.2, min_distance_A=2.9, seed=0)


def test_a_vacancy_takes_one_atom_and_leaves_the_structure():
    cell = bulk("Cu", cubic=True)
    assert len(vacancy(cell, index=2)) == 3
    assert len(cell) == 4
    with pytest.raises(ValueError, match="none with the index 4"):
        vacancy(cell, index=4)


def test_the_vacancy_energy_of_copper_is_that_of_emt():
    """1.238 eV unrelaxed, 1.224 eV relaxed, 107 atoms (EMT run with ASE's own tools)."""
    perfect = bulk("Cu", cubic=True, a=3.5898) * 3
    per_atom = singlepoint(perfect, calc=EMT).energy_eV / len(perfect)
    defect = vacancy(perfect)
    bare = singlepoint(defect, calc=EMT).energy_eV - len(defect) * per_atom
    relaxed = relax(defect, calc=EMT, fmax_eV_per_A=0.01).energy_eV - len(defect) * per_atom
    assert bare == pytest.approx(1.238, abs=2e-3)
    assert relaxed == pytest.approx(1.224, abs=2e-3)
