"""Equations of state of seven fcc metals and three of their ordered alloys, with ASE's EMT potential.

    python tutorials/eos_metals.py

reads the structures in `tutorials/data`, strains each one, computes every energy, fits an equation of state to each
structure's energies, and compares lattice constants and bulk moduli with experiment. The table and the plot go to
`tutorials/results`. Run it again and it is the same table; take another `Calc` and it is another method.
"""

import csv
import shutil
from pathlib import Path
from typing import NamedTuple

from ase import Atoms
from eos_plot import draw

from sciflow import length, op, workflow
from sciflow_ops.aggregate import Table, batched, gather_table
from sciflow_ops.calculation import Calc
from sciflow_ops.eos import EosFit, equation_of_state
from sciflow_ops.perturb import scale_volume
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import read_structure

HERE = Path(__file__).parent
DATA = HERE / "data"
METALS = ["Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au"]
ALLOYS = ["Ni3Al.POSCAR", "Cu3Au.cif", "CuAu.POSCAR"]
EMT = Calc("emt")


class Comparison(NamedTuple):
    """Computed and measured, side by side."""

    a_A: float  # first edge of the cell in the file, at the fitted volume; the cell keeps its shape
    a_exp_A: float
    a_dev_percent: float
    b0_GPa: float  # bulk modulus
    b0_exp_GPa: float | None
    b0_dev_percent: float | None
    fit_rms_meV: float  # per atom
    conditions: str  # of the experiment
    source: str


@op
def compare(structure: Atoms, fit: EosFit, name: Path, experiment: Path) -> Comparison:
    """A fit beside the experiment of the same name."""
    with experiment.open(encoding="utf-8") as file:
        known = next(row for row in csv.DictReader(file) if row["structure"] == name.stem)
    volume_scale = fit.v0_A3 * len(structure) / structure.get_volume()
    a = float(structure.cell.lengths()[0] * volume_scale ** (1 / 3))
    a_exp, b0_exp = float(known["a_A"]), float(known["b0_GPa"]) if known["b0_GPa"] else None
    return Comparison(
        a_A=a,
        a_exp_A=a_exp,
        a_dev_percent=100 * (a / a_exp - 1),
        b0_GPa=fit.b0_GPa,
        b0_exp_GPa=b0_exp,
        b0_dev_percent=100 * (fit.b0_GPa / b0_exp - 1) if b0_exp else None,
        fit_rms_meV=1000 * fit.rms_eV,
        conditions=known["conditions"],
        source=known["source"],
    )


class Study(NamedTuple):
    """What comes out."""

    table: Table
    plot: Path


@workflow
def metals(files: list[Path], scales: list[float], experiment: Path) -> Study:
    structures = read_structure.map(file=files)
    strained = scale_volume.product(atoms=structures, volume_scale=scales)  # every structure at every volume
    energies = singlepoint.partial(calc=EMT).map(atoms=strained)  # scatter
    fits = equation_of_state.map(calculations=batched(energies, size=length(scales)))  # gather, per structure
    rows = compare.partial(experiment=experiment).map(structure=structures, fit=fits, name=files)
    return Study(gather_table(files, rows, name="eos_metals.csv"), draw(files, fits, rows))


def show(table: Table) -> None:
    """The table on the terminal."""
    print(f"\n{'':8}{'a':>8}{'exp.':>8}{'dev.':>8}{'B':>9}{'exp.':>7}{'dev.':>8}   source of the")
    print(f"{'':8}{'Å':>8}{'Å':>8}{'%':>8}{'GPa':>9}{'GPa':>7}{'%':>8}   experiment")
    for row in table.rows:
        print(
            f"{Path(row['key']).stem:8}{row['a_A']:8.3f}{row['a_exp_A']:8.3f}{row['a_dev_percent']:+8.2f}{row['b0_GPa']:9.1f}"
            f"{number(row['b0_exp_GPa'], '.0f'):>7}{number(row['b0_dev_percent'], '+.1f'):>8}   {row['source']}"
        )
    print("Experiment: metals at 0 K without zero-point motion, alloys at room temperature; see data/experiment.csv.")
    print("a is the first edge of the cell in the file, whose shape is kept: for CuAu (L1_0) c/a = 0.927.\n")


def number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


if __name__ == "__main__":
    run = metals.run(
        [DATA / f"{metal}.cif" for metal in METALS] + [DATA / name for name in ALLOYS],
        scales=[0.90, 0.92, 0.94, 0.96, 0.98, 1.00, 1.02, 1.04, 1.06, 1.08, 1.10],
        experiment=DATA / "experiment.csv",
    )
    show(run.result.table)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for file in (run.result.table.file, run.result.plot):
        print("written:", shutil.copy(file, results))
