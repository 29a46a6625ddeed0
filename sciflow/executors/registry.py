"""The executors by name: `local`, and those that the settings name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sciflow.config import Tables
from sciflow.errors import ConfigError
from sciflow.executors.errand import End, Errand
from sciflow.executors.executor import Executor

if TYPE_CHECKING:
    from sciflow.executors.argo.pod_logs import PodLogs
    from sciflow.executors.settings import ArgoSettings

LOCAL = "local"


def executor_names(settings: Tables) -> frozenset[str]:
    """All names that a workflow may use."""
    return frozenset({LOCAL, *settings})


def conducts(name: str, executors: Tables) -> bool:
    """Whether it is an executor that carries out whole runs; it has its own secrets, images and limits."""
    return executors.get(name, {}).get("type") == "argo"


def name_there(name: str, executors: Tables, run: str) -> str:
    """How an executor that carries out whole runs calls one of them, for its own tools."""
    from sciflow.executors.argo.manifest.naming import workflow_name

    return f"Workflow {workflow_name(run)} in namespace {conductor_settings(name, executors).namespace}"


def conductor_settings(name: str, tables: Tables) -> ArgoSettings:
    """Those of an executor that carries out whole runs.

    Raises:
        ConfigError: it carries out none, or there is no such executor.
        InvalidSettings: they will not do.
    """
    from sciflow.executors.settings import ArgoSettings, parse_executor

    if not conducts(name, tables):
        fitting = [other for other in tables if conducts(other, tables)]
        raise ConfigError(
            f"{name!r} carries out no whole runs\n"
            f"    expected: an executor of type argo: {', '.join(fitting) or 'there is none in the settings'}\n"
            f"    fix:      --on {fitting[0] if fitting else 'NAME, with [executors.NAME] in sciflow.toml'}"
        )
    settings = parse_executor(name, tables[name])
    assert isinstance(settings, ArgoSettings)
    return settings


def make_executor(
    name: str,
    tables: Tables,
    errand: Errand,
    storages: Tables = MappingProxyType({}),
) -> Executor:
    """The executor of that name; what a kind of executor needs is imported where there is one.

    Raises:
        ConfigError: its settings will not do.
        MissingExtra: a package that it needs is not installed.
    """
    from sciflow.executors.settings import ArgoSettings, BatchSettings, FuturesSettings, parse_executor

    match parse_executor(name, tables[name]):
        case FuturesSettings() as settings:
            from sciflow.executors.futures.making import make_futures

            return make_futures(name, settings, errand)
        case ArgoSettings() as settings:
            from sciflow.executors.argo.making import make_argo

            return make_argo(name, settings, storages, errand)
        case BatchSettings() as settings:
            from sciflow.executors.batch.making import make_batch

            return make_batch(name, settings, errand)


def fetch_files(
    name: str,
    tables: Tables,
    root: Path,
    paths: Sequence[str],
    storages: Tables = MappingProxyType({}),
) -> Mapping[str, str]:
    """Brings files and folders of a run home from an executor's machine; of those that are not to be had, why.

    Raises:
        HostError: the machine is not to be reached now.
    """
    from sciflow.executors.batch.making import fetch_from
    from sciflow.executors.lost_files import gone
    from sciflow.executors.settings import ArgoSettings, BatchSettings, FuturesSettings, parse_executor

    match parse_executor(name, tables[name]):
        case FuturesSettings():  # it works in the run folder itself
            return {path: gone(path, root) for path in paths if not (root / path).exists()}
        case ArgoSettings() as settings:
            from sciflow.executors.argo.bringing import fetch_from_bucket

            return fetch_from_bucket(name, settings, storages, root, paths)
        case BatchSettings() as settings:
            return fetch_from(settings, root, paths)


def lies_elsewhere(name: str, tables: Tables) -> bool:
    """Whether the files of runs lie in a folder of their own at this executor, and not in the run folder itself."""
    from sciflow.executors.batch.making import shares
    from sciflow.executors.settings import ArgoSettings, BatchSettings, parse_executor

    settings = parse_executor(name, tables[name])
    return isinstance(settings, ArgoSettings) or (isinstance(settings, BatchSettings) and not shares(settings))


def weigh_whole(name: str, tables: Tables, storages: Tables, root: Path) -> int:
    """The bytes that a run has left at the executor that has carried it out as a whole.

    Raises:
        HostError: the place is not to be reached now.
    """
    from sciflow.executors.argo.remains import weigh_at_argo

    return weigh_at_argo(name, conductor_settings(name, tables), storages, root)


def clear_whole(name: str, tables: Tables, storages: Tables, root: Path) -> int:
    """Removes them; how many they were.

    Raises:
        RunBusy: the run is at work there.
        HostError: the place is not to be reached now.
    """
    from sciflow.executors.argo.remains import clear_at_argo

    return clear_at_argo(name, conductor_settings(name, tables), storages, root)


def clear_run(name: str, tables: Tables, root: Path, batches: Collection[str]) -> int | None:
    """Removes the files of a run from an executor's machine; bytes that no other run there needs.

    None: it has others than those of these submissions there, all of which stay.

    Raises:
        RunBusy: jobs of the run are at work there.
        HostError: the machine is not to be reached now.
    """
    from sciflow.executors.batch.making import clear_at
    from sciflow.executors.settings import BatchSettings, parse_executor

    settings = parse_executor(name, tables[name])
    return clear_at(settings, root, batches) if isinstance(settings, BatchSettings) else 0


@contextmanager
def pod_logs(name: str, tables: Tables, root: Path) -> Iterator[PodLogs]:
    """What the pods of a run print, at an executor of Argo."""
    from sciflow.executors.argo.manifest.naming import workflow_name
    from sciflow.executors.argo.pod_logs import PodLogs
    from sciflow.executors.argo.server.reaching import make_server

    settings = conductor_settings(name, tables)
    server = make_server(settings)
    try:
        yield PodLogs(server, workflow_name(root.name), pods=settings.pods)
    finally:
        server.close()


def recall_run(
    name: str,
    tables: Tables,
    storages: Tables,
    root: Path,
    *,
    running: bool,
    end: End | None,
) -> None:
    """Takes back what a run has with an executor, no engine being at work: what runs too, or only what waits.

    `end`: the run has come to its end by that; else it is suspended.

    What was taken back is written down so that the run's next engine collects what it has done by then.

    Raises:
        HostError: the machine, or its batch system, gives no answer now; it may be tried again.
    """
    from sciflow.executors.batch.record import open_records
    from sciflow.executors.settings import ArgoSettings, FuturesSettings, parse_executor

    settings = parse_executor(name, tables[name])
    records = [record for record in open_records(root) if record.executor == name]
    if isinstance(settings, FuturesSettings):
        from sciflow.executors.futures.elements import recall

        recall(root, records, running=running)
        return
    if isinstance(settings, ArgoSettings):
        from sciflow.executors.argo.recall import recall_workflow

        recall_workflow(name, settings, storages, root, end)
        return
    from sciflow.executors.batch.making import recall_from

    recall_from(settings, records, root, running=running)


def cleanup_of(name: str, tables: Tables) -> str | float:
    """What the settings say of the files of runs at an executor: "keep", "on_success", or their age in seconds."""
    from sciflow.executors.settings import FuturesSettings, parse_executor
    from sciflow.executors.settings_check import age_s

    settings = parse_executor(name, tables[name])
    return "keep" if isinstance(settings, FuturesSettings) else age_s(settings.cleanup) or settings.cleanup
