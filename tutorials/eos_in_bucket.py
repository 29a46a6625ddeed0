"""The sweep of `eos_metals.py`, its files kept in a bucket of S3: the run's folder may lose them, and be moved.

    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
    python tutorials/eos_in_bucket.py

needs a table `[storages.s3]` in `sciflow.toml`; `bucket.toml` beside this script is one to begin with.
"""

from eos_metals import ALLOYS, DATA, METALS, metals, show

if __name__ == "__main__":
    run = metals.options(storage="s3").run(
        [DATA / f"{metal}.cif" for metal in METALS] + [DATA / name for name in ALLOYS],
        scales=[0.90, 0.92, 0.94, 0.96, 0.98, 1.00, 1.02, 1.04, 1.06, 1.08, 1.10],
        experiment=DATA / "experiment.csv",
    )
    print("files that need not be here any more:", run.release())
    show(run.result.table)  # brought back from the bucket
