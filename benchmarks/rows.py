"""Every row of the table, with its sizes, peers and targets."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.argo_rows import argo_chain, argo_fan
from benchmarks.cluster_rows import cluster
from benchmarks.map_rows import durable_chain, durable_map, map_huge, map_large, map_small
from benchmarks.measure import ROOT, python
from benchmarks.records import OURS, Quantity, Row, Side, Target
from benchmarks.sides import BARE, MS, ONE, PPE, library_quantities, library_sides
from benchmarks.storage_rows import stored_large, stored_many


def all_rows(*, quick: bool) -> list[Row]:
    """The rows, `quick` with sizes a hundredth as large where they are large."""
    few = 100 if quick else 1
    return [
        map_small(10_000 // few), map_large(100_000 // few), map_huge(1_000_000 // few, 100_000 // few),
        _files(1000 // min(few, 10)), _chain(200 // min(few, 10)), _burn(200 // min(few, 10)), _cached(10_000 // few),
        _start(), _import(), _isolated(1000 // min(few, 10)), _trace(10_000 // few),
        _scheduler(100_000 // few, 1_000_000 // few), durable_map("durable-map-10k", 10_000 // few),
        durable_map("durable-map-100k", 100_000 // few), durable_chain(200 // min(few, 10)),
        stored_large(1024 // few), stored_many(10_000 // few), cluster(10_000 // few),
        argo_fan(1000 // min(few, 10)), argo_chain(10 // min(few, 5)),
    ]  # fmt: skip


def _files(size: int) -> Row:
    return Row(
        name="files",
        work=f"{size:,} slices, a file of the user's in and a file out each, hashed",
        sides=(
            Side(name=OURS, work="sciflow_work:files", size=size),
            Side(name=ONE, work="sciflow_work:files", size=1),
            Side(name=BARE, work="peer_work:bare_files", size=size),
        ),
        quantities=(
            Quantity(
                name="time a slice, less start", unit="ms", less=ONE, scale=MS / size, peer=BARE,
                target=Target(most=0.2),
            ),
            Quantity(name="time a slice, start included", unit="ms", scale=MS / size, peer=BARE),
            Quantity(name="CPU a slice, all processes", unit="ms", figure="cpu_s", less=ONE, scale=MS / size),
        ),
        note="bare: one process that copies, hashes, reads and writes, and records nothing",
    )  # fmt: skip


def _chain(size: int) -> Row:
    return Row(
        name="chain",
        work=f"chain of {size} steps",
        sides=(
            Side(name=OURS, work="sciflow_work:chain", size=size),
            Side(name=ONE, work="sciflow_work:chain", size=1),
            Side(name=PPE, work="peer_work:chain:ppe", size=size),
            Side(name="PPE, one", work="peer_work:chain:ppe", size=1),
            *library_sides("chain", size),
        ),
        quantities=(
            Quantity(
                name="time a step, less start", unit="ms", less=ONE, scale=MS / size, peer=PPE, peer_less="PPE, one",
                target=Target(most=0.3),
            ),
            Quantity(name="time a step, start included", unit="ms", scale=MS / size, peer=PPE),
            Quantity(
                name="CPU a step, all processes", unit="ms", figure="cpu_s", less=ONE, scale=MS / size, peer=PPE,
                peer_less="PPE, one",
            ),
            *library_quantities("time a step, start included", "ms", MS / size),
        ),
        note="executorlib, parsl and dask once",
    )  # fmt: skip


def _burn(size: int) -> Row:
    return Row(
        name="cpu",
        work=f"{size} slices of 50 ms of CPU time",
        sides=(
            Side(name=OURS, work="sciflow_work:burn", size=size),
            Side(name=BARE, work="peer_work:bare_burn", size=size),
        ),
        quantities=(
            Quantity(name="efficiency", unit="", figure="efficiency", peer=BARE, target=Target(least=0.97)),
            Quantity(name="time", unit="s", peer=BARE),
        ),
        note="bare: two processes that share the work beforehand; on a busy machine the ratio to it is what counts",
    )


def _cached(size: int) -> Row:
    return Row(
        name="cached",
        work=f"everything cached, {size:,} slices",
        sides=(
            Side(name="fill", work="sciflow_work:cached", size=size, most=1),
            Side(name=OURS, work="sciflow_work:cached", size=size),
            Side(name=ONE, work="sciflow_work:cached", size=1),
            Side(name="edited", work="sciflow_work:edited", size=size),
        ),
        quantities=(
            Quantity(name="time a task, less start", unit="ms", less=ONE, scale=MS / size, target=Target(most=0.02)),
            Quantity(name="time a task, start included", unit="ms", scale=MS / size),
            Quantity(name="CPU a task, all processes", unit="ms", figure="cpu_s", less=ONE, scale=MS / size),
            Quantity(name="tasks run", unit="", figure="ran", target=Target(least=0, most=0)),
            Quantity(
                name="tasks run after one edit", unit="", figure="ran", side="edited", target=Target(least=2, most=2)
            ),
            Quantity(name="time after one edit", unit="s", side="edited"),
            Quantity(name="time to fill the cache", unit="s", side="fill"),
        ),
        shared=True,
        note="one edit: one element of the list; its slice and the gathering op run",
    )


def _start() -> Row:
    script = str(ROOT / "benchmarks" / "one_step.py")
    return Row(
        name="start",
        work="a script with a workflow of one op, the whole process",
        sides=(
            Side(name=OURS, argv=python(script, "{folder}"), every=3),
            Side(name="python -c pass", argv=python("-c", "pass"), every=3),
        ),
        quantities=(
            Quantity(name="time", unit="s", figure="wall_s", peer="python -c pass", target=Target(most=0.15)),
            Quantity(name="CPU, all processes", unit="s", figure="cpu_s", peer="python -c pass"),
        ),
    )


def _import() -> Row:
    code = "import json, time; t = time.perf_counter(); {}; print(json.dumps(dict(inner_s=time.perf_counter() - t)))"
    names, run = "sciflow, its names", "sciflow, all for a run"
    passing = "python -c pass"
    statements = {
        OURS: "import sciflow",
        names: "from sciflow import op, workflow",
        run: "import sciflow.author.launch, sciflow.engine.api",
    }
    sides = [Side(name=name, argv=python("-c", code.format(text)), every=3) for name, text in statements.items()]
    return Row(
        name="import",
        work="`import sciflow`",
        sides=(*sides, Side(name=passing, argv=python("-c", "pass"), every=3)),
        quantities=(
            Quantity(name="import sciflow, process less `pass`", unit="s", figure="wall_s", less=passing,
                     target=Target(most=0.06)),
            Quantity(name="import sciflow, inside", unit="s", figure="inner_s", target=Target(most=0.06)),
            Quantity(name="from sciflow import op, workflow, inside", unit="s", figure="inner_s", side=names,
                     target=Target(most=0.06)),
            Quantity(name="all that a run imports, inside", unit="s", figure="inner_s", side=run),
        ),
    )  # fmt: skip


def _isolated(size: int) -> Row:
    few = max(1, size // 100)
    library = "executorlib"
    return Row(
        name="isolated",
        work=f"{size:,} slices, each in a process of its own",
        sides=(
            Side(name=OURS, work="sciflow_work:isolated", size=size),
            Side(name=ONE, work="sciflow_work:isolated", size=1),
            Side(name=BARE, work="peer_work:bare_fork", size=size),
            Side(
                name=library, work="peer_work:map_gather:executorlib_isolated", size=few, package=library, most=1
            ),
        ),
        quantities=(
            Quantity(name="time a slice, less start", unit="ms", less=ONE, scale=MS / size, peer=BARE,
                     target=Target(most=2)),
            Quantity(name="time a slice, start included", unit="ms", scale=MS / size, peer=library,
                     peer_scale=MS / few),
            Quantity(name="CPU a slice, all processes", unit="ms", figure="cpu_s", less=ONE, scale=MS / size),
        ),
        note=f"bare: fork, exit and wait, one after the other; executorlib (a process per call) with {few} calls, once",
    )  # fmt: skip


def _trace(size: int) -> Row:
    return Row(
        name="trace",
        work=f"tracing and validating a workflow of {size:,} nodes",
        sides=(
            Side(name=OURS, work="sciflow_work:trace", size=size),
            Side(name="fan", work="sciflow_work:trace_fan", size=size),
        ),
        quantities=(
            Quantity(name="a chain, trace and validate", unit="s", target=Target(most=1)),
            Quantity(name="  CPU", unit="s", figure="spec_cpu_s"),
            Quantity(name="  of it to validate", unit="s", figure="validate_s"),
            Quantity(name="side by side, trace and validate", unit="s", side="fan", target=Target(most=1)),
            Quantity(name="  CPU", unit="s", figure="spec_cpu_s", side="fan"),
            Quantity(name="  of it to validate", unit="s", figure="validate_s", side="fan"),
        ),
    )


def _scheduler(smaller: int, size: int) -> Row:
    small = f"{smaller:,} slices"
    return Row(
        name="scheduler",
        work=f"the scheduler alone: {size:,} slices on 10,000 simulated cores, 1 % failing",
        sides=(
            Side(name=OURS, work="simulation:run", size=size),
            Side(name=small, work="simulation:run", size=smaller),
        ),
        quantities=(
            Quantity(name="CPU a slice", unit="us", figure="cpu_us", peer=small, target=Target(most=20)),
            Quantity(name="CPU a slice, growth", unit="us", figure="cpu_us", peer=small,
                     target=Target(of="ratio", most=1.2)),
            Quantity(name="  of it the simulated machine", unit="us", figure="machine_us", peer=small),
        ),
        note="journal and values in memory; a slice a job; a slice that fails is tried again after simulated minutes",
    )  # fmt: skip


def choose(rows: Sequence[Row], names: str) -> list[Row]:
    """The rows of these names, all for an empty text.

    Raises:
        ValueError: a name that no row has.
    """
    wanted = [name for name in names.split(",") if name]
    known = {row.name: row for row in rows}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ValueError(f"no row {', '.join(missing)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted] if wanted else list(rows)
