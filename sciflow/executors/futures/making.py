"""Puts the executor of a pool together from its settings."""

from __future__ import annotations

import sys

from sciflow.executors.batch.courier import Tempo
from sciflow.executors.batch.depot import Depot
from sciflow.executors.errand import Errand
from sciflow.executors.futures.executor import FuturesExecutor
from sciflow.executors.futures.pool import Pool
from sciflow.executors.futures.submissions import Submissions
from sciflow.executors.request import Surroundings
from sciflow.executors.settings import FuturesSettings
from sciflow.executors.transports.local import LocalTransport

DEPOT = "depot"  # folder of a run for what every worker of the pool must see


def make_futures(name: str, settings: FuturesSettings, errand: Errand) -> FuturesExecutor:
    """The executor of that name, for one run."""
    work_root = settings.work_root or str(errand.root / DEPOT)
    depot = Depot(LocalTransport(), work_root=work_root, python=settings.python or sys.executable)
    around = Surroundings(
        sys_path=[*(f"$DEPOT/code/{bundle}" for bundle in errand.code), *errand.sys_path],
        argv=errand.argv,
        main=f"$ROOT/{errand.main}" if errand.main else None,
        host={**errand.host, **settings.settings},
        inline_bytes=errand.inline_bytes,
        at=None,
    )
    pool = Pool(settings.factory, settings.arguments, sys_path=errand.sys_path, where=f"[executors.{name}]")
    root, code, walltime_s = errand.root, errand.code, settings.walltime_s
    return FuturesExecutor(
        name,
        pool,
        Submissions(name, depot, root=root, around=around, code=code, walltime_s=walltime_s),
        root=root,
        workers=settings.workers or pool.workers,
        tempo=Tempo(least_s=settings.look_least_s, most_s=settings.look_most_s),
    )
