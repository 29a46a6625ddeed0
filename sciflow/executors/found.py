"""Runs that were begun elsewhere, at executors that carry out whole runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from sciflow.config import Tables
from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec
from sciflow.core.progress import RunElsewhere
from sciflow.executors.registry import conductor_settings

MODULES = "modules"  # part of a run folder: the user's own modules, where the run was adopted


class FoundRun(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run where it is carried out."""

    id: str
    spec: WorkflowSpec
    inputs: Mapping[str, Tree]
    reuse: Mapping[str, Tree]
    setup: bytes  # as in the database of a run
    started: float
    main: str | None  # the script's copy below the run folder
    bring: Callable[[Path], None]  # brings into a run folder what is needed at once


def find_run(name: str, tables: Tables, storages: Tables, reference: str) -> FoundRun:
    """The run that is meant; see `argo.run_list.find_at_argo`.

    Raises:
        ConfigError: the executor carries out no whole runs, or will not do.
        RunNotFound: there is no such run.
        HostError: the place is not to be reached now.
    """
    from sciflow.executors.argo.run_list import find_at_argo

    return find_at_argo(name, conductor_settings(name, tables), storages, reference)


def runs_at(name: str, tables: Tables) -> list[RunElsewhere]:
    """The runs that an executor has, the newest first.

    Raises:
        ConfigError, HostError: see `find_run`.
    """
    from sciflow.executors.argo.run_list import runs_at_argo

    return runs_at_argo(conductor_settings(name, tables))
