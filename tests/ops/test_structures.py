import math

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from sciflow_ops.calculation import Calc
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import (
    crystal,
    molecule,
    read_structure,
    read_structures,
    supercell,
    surface,
    write_structures,
)

EMT = Calc("emt")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def nearest(atoms):
    return atoms.repeat(3).get_all_distances(mic=True)[0, 1:].min()


@pytest.mark.parametrize(
    ("formula", "prototype", "a_A", "expected"),
    [
        ("Cu", "fcc", 3.6, 3.6 / math.sqrt(2)),
        ("W", "bcc", 3.2, 3.2 * math.sqrt(3) / 2),
        ("Si", "diamond", 5.43, 5.43 * math.sqrt(3) / 4),
        ("NaCl", "rocksalt", 5.64, 5.64 / 2),
        ("Cu3Au", "l1_2", 3.75, 3.75 / math.sqrt(2)),
    ],
)
def test_neighbours_of_a_crystal_are_as_far_apart_as_its_prototype_says(formula, prototype, a_A, expected):
    assert nearest(crystal(formula, prototype=prototype, a_A=a_A, cubic=True)) == pytest.approx(expected)


def test_an_ordered_alloy_has_its_composition_whatever_the_order_of_the_formula():
    for formula in ("Cu3Au", "AuCu3"):
        made = crystal(formula, prototype="l1_2", a_A=3.75)
        assert made.symbols.count("Cu") == 3
        assert made.symbols[0] == "Au"  # at the corner of the cell
    tetragonal = crystal("CuAu", prototype="l1_0", a_A=3.96, c_A=3.67)
    assert tetragonal.cell.lengths() == pytest.approx([3.96, 3.96, 3.67])
    heights = tetragonal.get_scaled_positions()[:, 2]
    assert {(symbol, round(z, 3)) for symbol, z in zip(tetragonal.symbols, heights, strict=True)} == {
        ("Cu", 0),
        ("Au", 0.5),
    }


def test_a_formula_that_does_not_fit_its_prototype_is_refused():
    with pytest.raises(ValueError, match="l1_2 takes two elements 3 to 1"):
        crystal("CuAu", prototype="l1_2", a_A=3.7)
    with pytest.raises(ValueError, match="needs a_A"):
        crystal("Cu3Au", prototype="l1_2")
    with pytest.raises(ValueError, match="no rocksalt crystal of 'Cu'"):
        crystal("Cu", prototype="rocksalt", a_A=4.0)


def test_all_frames_of_a_file_are_read_with_their_energies_and_data(here):
    frames = []
    for number in range(3):
        atoms = bulk("Cu", a=3.6 + 0.01 * number) * (2, 1, 1)
        atoms.info["number"] = number
        atoms.arrays["weight"] = np.array([1.5, 2.5])
        frames.append(singlepoint(atoms, calc=EMT).atoms)
        frames[-1].info["number"] = number
    path = write_structures(frames, format="extxyz")
    back = read_structures(path)
    assert [atoms.info["number"] for atoms in back] == [0, 1, 2]
    for before, after in zip(frames, back, strict=True):
        assert after.get_potential_energy() == pytest.approx(before.get_potential_energy(), abs=1e-8)
        assert after.get_forces() == pytest.approx(before.get_forces(), abs=1e-7)
        assert after.positions == pytest.approx(before.positions, abs=1e-8)
        assert after.arrays["weight"].tolist() == [1.5, 2.5]
    assert len(read_structures(path, index="::2")) == 2
    assert read_structure(path, index=1).info["number"] == 1
    assert read_structure(path).info["number"] == 2


@pytest.mark.parametrize("format_", ["vasp", "cif", "xyz", "traj", "json", "extxyz", "espresso-in"])
def test_a_structure_survives_every_common_format(here, format_):
    atoms = crystal("Cu3Au", prototype="l1_2", a_A=3.75)
    if format_ == "espresso-in":
        write("in.pwi", atoms, format=format_, pseudopotentials={"Cu": "Cu.upf", "Au": "Au.upf"})
        back = read_structure(here / "in.pwi", format=format_)
    else:
        back = read_structure(write_structures([atoms], format=format_), format=format_)
    assert sorted(back.symbols) == sorted(atoms.symbols)
    if format_ != "xyz":  # which has no cell
        assert back.cell.cellpar() == pytest.approx(atoms.cell.cellpar(), abs=1e-6)


def test_a_file_that_cannot_be_read_says_which_and_why(here):
    (here / "notes.txt").write_text("not a structure\n")
    with pytest.raises(ValueError, match=r"notes\.txt cannot be read by its name or content"):
        read_structure(here / "notes.txt")
    path = write_structures([bulk("Cu")])
    with pytest.raises(ValueError, match="has 1 frames, none with the index 4"):
        read_structure(path, index=4)


@pytest.mark.parametrize(
    ("name", "text", "format_"),
    [
        ("cu.cif", "garbage\nmore 1 2 3\n", "cif"),
        ("cu.cif", "data_x\nloop_\n_a\n_b\n1 2 3\n", "cif"),
        ("POSCAR", "garbage\n1\n", "vasp"),
        ("cu.xyz", "3\n\nCu 0 0\n", "extxyz"),
        ("cu.json", "[1, 2", "json"),
        ("cu.traj", "garbage", "traj"),
    ],
)
def test_garbage_of_any_format_is_one_error_with_file_format_and_what_to_do(here, name, text, format_):
    (here / name).write_text(text)
    said = rf"{name} cannot be read as {format_}: .+; look whether the file is whole, or name another .*format="
    with pytest.raises(ValueError, match=said):
        read_structure(here / name, format=None if name != "cu.traj" else "traj")


def test_a_format_that_holds_one_frame_is_not_given_several(here):
    with pytest.raises(ValueError, match="holds one frame, found 2"):
        write_structures([bulk("Cu"), bulk("Al")], format="vasp")
    with pytest.raises(ValueError, match="ASE does not write 'nonsense'"):
        write_structures([bulk("Cu")], format="nonsense")


def test_molecules_come_from_the_g2_set():
    water = molecule("H2O")
    assert water.get_distance(0, 1) == pytest.approx(0.969, abs=1e-3)
    assert not water.pbc.any()
    assert molecule("CH4", vacuum_A=5.0).cell.rank == 3
    with pytest.raises(ValueError, match="no molecule 'Unobtainium'"):
        molecule("Unobtainium")


def test_the_cell_of_an_fcc_111_surface_has_the_area_of_one_atom_per_layer():
    slab = surface(crystal("Cu", a_A=3.6, cubic=True), miller=(1, 1, 1), layers=5, vacuum_A=8.0)
    planes = len(set(np.round(slab.positions[:, 2], 3)))
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    assert area / (len(slab) / planes) == pytest.approx(math.sqrt(3) * 3.6**2 / 4)
    assert planes == 5
    assert slab.pbc.tolist() == [True, True, False]
    assert slab.positions[:, 2].min() == pytest.approx(8.0)
    assert len(surface(crystal("Cu", cubic=True), repeat=(2, 3))) == 6 * len(surface(crystal("Cu", cubic=True)))


@pytest.mark.parametrize(
    ("how", "copies"),
    [
        ({"repeat": (2, 3, 1)}, 6),
        ({"matrix": [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]}, 4),
        ({"min_length_A": 6.0}, 27),
        ({"max_atoms": 30}, 27),
    ],
)
def test_a_supercell_has_the_energy_and_volume_of_its_copies(how, copies):
    cell = bulk("Cu", a=3.59)
    large = supercell(cell, **how)
    assert len(large) == copies
    assert large.get_volume() == pytest.approx(copies * cell.get_volume())
    energy = singlepoint(cell, calc=EMT).energy_eV
    assert singlepoint(large, calc=EMT).energy_eV / copies == pytest.approx(energy, abs=1e-9)


def test_the_size_of_a_supercell_is_asked_for_in_one_way():
    with pytest.raises(ValueError, match="give one of"):
        supercell(bulk("Cu"))
    with pytest.raises(ValueError, match="found 2"):
        supercell(bulk("Cu"), repeat=(1, 1, 1), max_atoms=4)
    with pytest.raises(ValueError, match="determinant"):
        supercell(bulk("Cu"), matrix=[[1, 0, 0], [1, 0, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="more than max_atoms"):
        supercell(bulk("Cu", cubic=True), max_atoms=3)
