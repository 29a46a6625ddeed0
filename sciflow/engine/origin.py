"""What a run was made of, as its database has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing

import msgspec

from sciflow.core.expr import Tree
from sciflow.core.graph import WorkflowSpec, decode_spec
from sciflow.engine.records_db import Reader
from sciflow.engine.run_folder import RunFolder
from sciflow.engine.setup import RunSetup


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow, how it is to be executed, and its inputs."""

    spec: WorkflowSpec
    setup: RunSetup
    inputs: Mapping[str, Tree]


def origin_of(folder: RunFolder) -> Origin:
    """What the run in the folder was made of."""
    with closing(Reader(folder.database)) as reader:
        return stored_origin(reader)


def stored_origin(reader: Reader) -> Origin:
    """See `origin_of`, where its database is open."""
    return Origin(spec=stored_spec(reader), setup=stored_setup(reader), inputs=stored_inputs(reader))


def stored_spec(reader: Reader) -> WorkflowSpec:
    """The run's workflow alone."""
    return decode_spec(reader.fact("spec") or b"{}")


def stored_setup(reader: Reader) -> RunSetup:
    """How the run is to be executed, alone."""
    return msgspec.json.decode(reader.fact("setup") or b"{}", type=RunSetup)


def stored_inputs(reader: Reader) -> dict[str, Tree]:
    """The run's inputs alone."""
    inputs: dict[str, Tree] = json.loads(reader.fact("inputs") or b"{}")
    return inputs
