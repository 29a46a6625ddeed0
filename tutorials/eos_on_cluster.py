"""The sweep of `eos_metals.py` on a cluster: the same workflow, its energies as array jobs of Slurm over SSH.

    sciflow doctor cluster
    python tutorials/eos_on_cluster.py

needs a table `[executors.cluster]` in `sciflow.toml`; `cluster.toml` beside this script is one to begin with. What
reads structures, compares and draws stays on this machine; only energies and fits go there.
"""

import shutil
from pathlib import Path

from eos_metals import ALLOYS, DATA, EMT, HERE, METALS, Study, compare, show
from eos_plot import draw

from sciflow import length, workflow
from sciflow_ops.aggregate import batched, gather_table
from sciflow_ops.eos import equation_of_state
from sciflow_ops.perturb import scale_volume
from sciflow_ops.single_point import singlepoint
from sciflow_ops.structures import read_structure

CLUSTER = {"executor": "cluster"}


@workflow
def metals_there(files: list[Path], scales: list[float], experiment: Path) -> Study:
    structures = read_structure.map(file=files)
    strained = scale_volume.product(atoms=structures, volume_scale=scales)
    energies = singlepoint.options(**CLUSTER, retries=2, walltime_s=600).partial(calc=EMT).map(atoms=strained)
    fits = equation_of_state.options(**CLUSTER).map(calculations=batched(energies, size=length(scales)))
    rows = compare.partial(experiment=experiment).map(structure=structures, fit=fits, name=files)
    return Study(gather_table(files, rows, name="eos_on_cluster.csv"), draw(files, fits, rows))


if __name__ == "__main__":
    run = metals_there.run(
        [DATA / f"{metal}.cif" for metal in METALS] + [DATA / name for name in ALLOYS],
        scales=[0.90, 0.92, 0.94, 0.96, 0.98, 1.00, 1.02, 1.04, 1.06, 1.08, 1.10],
        experiment=DATA / "experiment.csv",
    )
    show(run.result.table)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    print("written:", shutil.copy(run.result.table.file, results))
