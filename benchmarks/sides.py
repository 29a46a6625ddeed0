"""What rows have in common: units, the peers' names, and the libraries that are measured where they are installed."""

from __future__ import annotations

from benchmarks.records import Quantity, Side

MS = 1e3
US = 1e6
PPE = "PPE"  # concurrent.futures.ProcessPoolExecutor(2)
ONE = "one"  # the same work of ours with one slice or step: start and end of the run and its workers
BARE = "bare"
MEMORY = "memory"
LIBRARIES = ("executorlib", "parsl", "dask")
PACKAGES = {"dask": "distributed"}


def library_sides(work: str, size: int) -> list[Side]:
    return [
        Side(name=name, work=f"peer_work:{work}:{name}", size=size, package=PACKAGES.get(name, name), most=1)
        for name in LIBRARIES
    ]


def library_quantities(name: str, unit: str, scale: float = 1.0) -> list[Quantity]:
    return [Quantity(name=name, unit=unit, scale=scale, peer=library) for library in LIBRARIES]
