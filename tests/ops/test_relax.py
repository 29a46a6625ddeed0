import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.units import GPa

from sciflow_ops.calculation import Calc, NotConverged
from sciflow_ops.eos import equation_of_state
from sciflow_ops.perturb import rattle, strain
from sciflow_ops.relax import relax
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import crystal, molecule, read_structures

EMT = Calc("emt")
EMT_LATTICE = {"Al": 3.9942, "Cu": 3.5898, "Ag": 4.0635, "Au": 4.0562, "Ni": 3.4870, "Pd": 3.8787, "Pt": 3.9218}  # Å


@pytest.mark.parametrize("symbol", EMT_LATTICE)
def test_a_relaxed_cell_has_the_lattice_constant_of_emt(symbol):
    found = relax(bulk(symbol, cubic=True), calc=EMT, dof="cell", smax_GPa=0.01)
    assert found.atoms.cell.lengths() == pytest.approx([EMT_LATTICE[symbol]] * 3, abs=3e-4)
    assert found.converged


@pytest.mark.parametrize("optimizer", ["BFGS", "LBFGS", "BFGSLineSearch", "FIRE", "FIRE2"])
def test_every_optimizer_finds_the_perfect_crystal_again(optimizer):
    perfect = bulk("Cu", cubic=True, a=3.5898)
    shaken = rattle(perfect, stdev_A=0.1, seed=1)[0]
    found = relax(shaken, calc=EMT, optimizer=optimizer, fmax_eV_per_A=1e-3)
    assert found.energy_eV == pytest.approx(singlepoint(perfect, calc=EMT).energy_eV, abs=1e-5)
    assert np.linalg.norm(found.forces, axis=1).max() <= 1e-3
    assert found.steps > 0


def test_each_freedom_moves_what_it_says_and_nothing_else():
    start = rattle(crystal("CuAu", prototype="l1_0", a_A=3.96, c_A=3.67), stdev_A=0.05, seed=4)[0]
    volume, shape = start.get_volume(), start.cell.array / start.get_volume() ** (1 / 3)
    for dof in (
        "none",
        "positions",
        "volume",
        "shape",
        "cell",
        "positions_volume",
        "positions_shape",
        "positions_cell",
    ):
        final = relax(start, calc=EMT, dof=dof, fmax_eV_per_A=0.05, smax_GPa=0.5).atoms
        same_positions = np.allclose(final.get_scaled_positions(), start.get_scaled_positions(), atol=1e-8)
        same_volume = final.get_volume() == pytest.approx(volume, rel=1e-6)
        same_shape = np.allclose(final.cell.array / final.get_volume() ** (1 / 3), shape, atol=1e-6)
        assert same_positions == ("positions" not in dof), dof
        assert same_volume == (dof.rpartition("_")[2] not in {"volume", "cell"}), dof
        assert same_shape == (dof.rpartition("_")[2] not in {"shape", "cell"}), dof
        assert not final.constraints


def test_relaxation_reaches_the_minimum_of_the_equation_of_state():
    curve = equation_of_state(
        [singlepoint(a, calc=EMT) for a in strain(bulk("Pd"), scales=np.linspace(0.96, 1.02, 7).tolist())]
    )
    found = relax(bulk("Pd"), calc=EMT, dof="volume", smax_GPa=1e-3)
    assert found.atoms.get_volume() == pytest.approx(curve.v0_A3, rel=1e-4)
    assert found.energy_eV == pytest.approx(curve.e0_eV, abs=2e-5)


def test_under_pressure_the_stress_balances_it_and_the_volume_is_that_of_the_equation_of_state():
    found = relax(bulk("Cu"), calc=EMT, dof="cell", pressure_GPa=10.0, smax_GPa=0.01)
    assert found.stress / GPa == pytest.approx([-10, -10, -10, 0, 0, 0], abs=0.02)
    b0, b1, v0 = 134.4, 4.2, 3.5898**3 / 4
    murnaghan = v0 * (1 + b1 * 10 / b0) ** (-1 / b1)
    assert found.atoms.get_volume() == pytest.approx(murnaghan, rel=2e-3)


def test_constraints_are_kept_to_and_come_back():
    start = rattle(bulk("Cu", cubic=True) * 2, stdev_A=0.1, seed=1)[0]
    start.set_constraint(FixAtoms([0, 5]))
    found = relax(start, calc=EMT)
    assert np.array_equal(found.atoms.positions[[0, 5]], start.positions[[0, 5]])
    assert found.atoms.constraints[0].index.tolist() == [0, 5]
    assert np.abs(found.forces[0]).max() > 0.01  # without constraints


def test_a_relaxation_out_of_steps_fails_and_leaves_its_last_geometry(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = rattle(bulk("Cu", cubic=True) * 2, stdev_A=0.2, seed=1)[0]
    with pytest.raises(
        NotConverged, match=r"Cu32 not converged after 2 steps: force .* eV/Å \(limit 0\.01\); the last"
    ):
        relax(start, calc=EMT, max_steps=2)
    (last,) = read_structures(tmp_path / "unconverged.extxyz")
    assert len(last) == 32
    kept = relax(start, calc=EMT, max_steps=2, on_unconverged="keep")
    assert not kept.converged
    assert kept.steps == 2
    assert kept.energy_eV < singlepoint(start, calc=EMT).energy_eV


def test_the_trajectory_has_a_frame_for_the_start_and_each_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = rattle(bulk("Cu", cubic=True), stdev_A=0.1, seed=1)[0]
    found = relax(start, calc=EMT, trajectory=True)
    frames = read_structures(found.trajectory)
    assert len(frames) == found.steps + 1
    assert frames[0].positions == pytest.approx(start.positions, abs=1e-7)
    assert frames[-1].get_potential_energy() == pytest.approx(found.energy_eV, abs=1e-6)


def test_the_cell_of_a_molecule_cannot_be_relaxed():
    with pytest.raises(ValueError, match="relaxing 'cell' needs stress, which emt does not give for OH2"):
        relax(molecule("H2O", vacuum_A=4.0), calc=EMT, dof="cell")
    with pytest.raises(ValueError, match="no effect while the volume is fixed"):
        relax(bulk("Cu"), calc=EMT, dof="positions", pressure_GPa=1.0)
