"""The rows that map an op over long lists, and those that compare how safely it is written down."""

from __future__ import annotations

from benchmarks.records import OURS, Quantity, Row, Side, Target
from benchmarks.sides import MEMORY, MS, PPE, US, library_quantities, library_sides


def map_small(size: int) -> Row:
    return Row(
        name="map-10k",
        work=f"map {size:,} trivial ops and gather, start of the workers included",
        sides=(
            Side(name=OURS, work="sciflow_work:map_gather", size=size),
            Side(name=PPE, work="peer_work:map_gather:ppe", size=size),
            *library_sides("map_gather", size),
        ),
        quantities=(
            Quantity(name="time", unit="s", peer=PPE, target=Target(of="ratio", most=0.6)),
            Quantity(name="CPU, all processes", unit="s", figure="cpu_s", peer=PPE),
            *library_quantities("time", "s"),
        ),
        note="executorlib, parsl and dask once",
    )


def map_large(size: int) -> Row:
    return Row(
        name="map-100k",
        work=f"map {size:,} trivial ops and gather",
        sides=(
            Side(name=OURS, work="sciflow_work:map_gather", size=size),
            Side(name=PPE, work="peer_work:map_gather:ppe", size=size),
            Side(name=MEMORY, work="sciflow_work:map_gather", size=size, memory=True, most=3),
            Side(name="PPE, memory", work="peer_work:map_gather:ppe", size=size, memory=True, most=1),
        ),
        quantities=(
            Quantity(name="time", unit="s", peer=PPE, target=Target(of="ratio", most=0.35)),
            Quantity(name="CPU, all processes", unit="s", figure="cpu_s", peer=PPE),
            Quantity(
                name="peak memory", unit="MB", figure="peak_mb", side=MEMORY, peer="PPE, memory",
                target=Target(most=250),
            ),
        ),
        note="memory in runs of their own: PSS of all processes, looked at every 10 ms",
    )  # fmt: skip


def map_huge(size: int, smaller: int) -> Row:
    small = f"map {smaller:,}"
    return Row(
        name="map-1m",
        work=f"map {size:,} trivial ops and gather",
        sides=(
            Side(name=OURS, work="sciflow_work:map_gather", size=size, most=1),
            Side(name=small, work="sciflow_work:map_gather", size=smaller, most=3, every=3),
            Side(name=MEMORY, work="sciflow_work:map_gather", size=size, memory=True, most=1),
        ),
        quantities=(
            Quantity(
                name="time a slice", unit="us", scale=US / size, peer=small, peer_scale=US / smaller,
                target=Target(of="ratio", most=1.2),
            ),
            Quantity(
                name="CPU a slice, all processes", unit="us", figure="cpu_s", scale=US / size, peer=small,
                peer_scale=US / smaller,
            ),
            Quantity(name="peak memory", unit="MB", figure="peak_mb", side=MEMORY, target=Target(most=1000)),
        ),
        note="once; beside sciflow's own smaller map, not PPE",
    )  # fmt: skip


def durable_map(name: str, size: int) -> Row:
    return Row(
        name=name,
        work=f"map {size:,}: safe from power cuts (full), or from crashes of programs only (normal)",
        sides=_durable_sides("map", size),
        quantities=(
            Quantity(name="time, full", unit="s", peer="normal"),
            Quantity(name="CPU, full", unit="s", figure="cpu_s", peer="normal"),
        ),
    )


def durable_chain(size: int) -> Row:
    return Row(
        name="durable-chain",
        work=f"chain of {size} steps: full, or normal",
        sides=_durable_sides("chain", size),
        quantities=(Quantity(name="time a step, full", unit="ms", scale=MS / size, peer="normal"),),
    )


def _durable_sides(work: str, size: int) -> tuple[Side, ...]:
    return (
        Side(name=OURS, work=f"sciflow_work:{work}_full", size=size),
        Side(name="normal", work=f"sciflow_work:{work}_normal", size=size),
    )
