"""The ops as nodes of a workflow: what travels, what is kept, what is flagged."""

from pathlib import Path

import pytest
from ase import Atoms

from sciflow import workflow
from sciflow_ops.aggregate import Table, gather_table
from sciflow_ops.calculation import Calc, Calculation
from sciflow_ops.eos import EosFit, equation_of_state
from sciflow_ops.perturb import rattle, strain
from sciflow_ops.relax import Relaxation, relax
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import crystal, read_structures, supercell

DATA = Path(__file__).parents[2] / "tutorials" / "data"
EMT = Calc("emt")


@workflow
def eos(structure: Path, scales: list[float], calc: Calc) -> EosFit:
    strained = strain(structure, scales=scales)
    return equation_of_state(singlepoint.partial(calc=calc).map(atoms=strained))


@workflow
def curves(files: list[Path], scales: list[float]) -> list[EosFit]:
    return eos.partial(scales=scales, calc=EMT).map(structure=files)


@workflow
def shaken(amplitudes: list[float], max_steps: int) -> Table:
    cell = supercell(crystal("Cu"), max_atoms=8)
    starts = shake.partial(cell=cell).map(amplitude=amplitudes)
    relaxed = relax.partial(calc=EMT, max_steps=max_steps).options(min_success=0).map(atoms=starts)
    return gather_table(amplitudes, relaxed)


@workflow
def shake(cell: Atoms, amplitude: float) -> Atoms:
    return rattle(cell, stdev_A=amplitude)[0]


@workflow
def kept(atoms: Atoms) -> Relaxation:
    return relax(atoms, calc=EMT, max_steps=1, on_unconverged="keep")


@workflow
def energy(atoms: Atoms) -> Calculation:
    return singlepoint(atoms, calc=EMT)


@pytest.fixture
def run(tmp_path):
    return lambda target, *args, **kwargs: target.options(runs=tmp_path, progress=False, workers=1).run(*args, **kwargs)


def test_a_fan_of_equations_of_state_gives_what_the_functions_give(run):
    files, scales = [DATA / "Cu.cif", DATA / "Ni3Al.POSCAR"], [0.98, 1.0, 1.02, 1.04, 1.06, 1.08]
    found = run(curves, files, scales=scales).result
    with_functions = [
        equation_of_state([singlepoint(atoms, calc=EMT) for atoms in strain(file, scales=scales)]) for file in files
    ]
    assert found == with_functions


def test_what_fails_to_converge_has_a_row_and_leaves_its_geometry(run):
    done = run(shaken, amplitudes=[0.0, 0.3], max_steps=3)
    assert [row["status"] for row in done.result.rows] == ["succeeded", "failed"]
    assert done.result.failed == 1
    (task,) = [task for task in done.tasks("relax") if task.error is not None]
    assert task.error.message.startswith("Cu8 not converged after 3 steps: force")
    assert len(read_structures(task.folder / "unconverged.extxyz")) == 1


def test_what_is_kept_without_having_converged_is_flagged(run):
    done = run(kept, rattle(crystal("Cu", cubic=True), stdev_A=0.2, seed=1)[0])
    assert not done.result.converged
    assert done.tasks("relax")[0].flag == "not converged after 1 steps"


def test_each_slice_is_displaced_by_its_own_seed(run):
    @workflow
    def twins(cells: list[Atoms]) -> list[list[Atoms]]:
        return rattle.map(atoms=cells)

    cells = [crystal("Cu", cubic=True)] * 2
    first, second = run(twins, cells).result
    again, _ = run(twins, cells).result
    assert (first[0].positions != second[0].positions).all()
    assert (first[0].positions == again[0].positions).all()


def test_records_arrive_as_they_left(run):
    atoms = rattle(crystal("Cu", cubic=True), stdev_A=0.1, seed=3)[0]
    here, there = singlepoint(atoms, calc=EMT), run(energy, atoms).result
    assert isinstance(there, Calculation)
    assert there.energy_eV == here.energy_eV
    assert there.forces.tobytes() == here.forces.tobytes()
    assert there.stress.tobytes() == here.stress.tobytes()
    assert there.atoms == here.atoms
    assert there.atoms.get_potential_energy() == here.energy_eV


def test_a_table_of_an_empirical_potential_claims_no_method(run):
    found = run(singlepoint, crystal("Cu"), calc=EMT)
    told = " ".join(str(cell) for row in found.table("singlepoint").to_dict("records") for cell in row.values())
    assert "emt" in told
    assert "pbe" not in told
