"""Optional packages that an executor cannot do without, looked for but not imported."""

from __future__ import annotations

from importlib.util import find_spec

from sciflow.errors import MissingExtra
from sciflow.executors.settings import ArgoSettings, BatchSettings, ExecutorSettings, FuturesSettings

DASK = "sciflow.executors.futures.dask:pool"


def missing_extra(settings: ExecutorSettings) -> MissingExtra | None:
    """The one that is not installed, if so."""
    match settings:
        case BatchSettings():
            lacks = bool(settings.host) and find_spec("paramiko") is None
            return MissingExtra("paramiko", "ssh", f"reaching {settings.host} by SSH") if lacks else None
        case ArgoSettings():
            missing = next((name for name in ("httpx", "minio") if find_spec(name) is None), None)
            return MissingExtra(missing, "argo", f"Argo {settings.way}") if missing else None
        case FuturesSettings():
            lacks = settings.factory == DASK and find_spec("distributed") is None
            return MissingExtra("distributed", "dask", "a pool of Dask") if lacks else None
