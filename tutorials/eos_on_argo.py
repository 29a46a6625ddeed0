"""The sweep of `eos_metals.py` on Kubernetes, as a Workflow of Argo: all of its tasks are run in pods.

    sciflow doctor argo
    python tutorials/eos_on_argo.py

needs a table `[executors.argo]` in `sciflow.toml`; `argo.toml` beside this script is one to begin with, and README.md
says how to get a cluster with Argo. An image of pods needs ASE alone: the plot is drawn on this machine, by an op that
is called as the function that it is.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from eos_metals import ALLOYS, DATA, EMT, HERE, METALS, Comparison, compare, show
from eos_plot import draw

from sciflow import length, workflow
from sciflow_ops.aggregate import Table, batched, gather_table
from sciflow_ops.eos import EosFit, equation_of_state
from sciflow_ops.perturb import scale_volume
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import read_structure


class Sweep(NamedTuple):
    """What comes out."""

    table: Table
    fits: list[EosFit]
    rows: list[Comparison]


@workflow
def metals_in_pods(files: list[Path], scales: list[float], experiment: Path) -> Sweep:
    structures = read_structure.map(file=files)
    strained = scale_volume.product(atoms=structures, volume_scale=scales)
    energies = singlepoint.options(retries=2).partial(calc=EMT).map(atoms=strained)
    fits = equation_of_state.map(calculations=batched(energies, size=length(scales)))
    rows = compare.partial(experiment=experiment).map(structure=structures, fit=fits, name=files)
    return Sweep(gather_table(files, rows, name="eos_on_argo.csv"), fits, rows)


if __name__ == "__main__":
    files = [DATA / f"{metal}.cif" for metal in METALS] + [DATA / name for name in ALLOYS]
    run = metals_in_pods.run(
        files,
        scales=[0.90, 0.92, 0.94, 0.96, 0.98, 1.00, 1.02, 1.04, 1.06, 1.08, 1.10],
        experiment=DATA / "experiment.csv",
        on="argo",
    )
    show(run.result.table)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    print("written:", shutil.copy(run.result.table.file, results))
    print("written:", shutil.move(draw(files, run.result.fits, run.result.rows), results / "eos_on_argo.png"))
