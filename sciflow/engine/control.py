"""Requests to the engine at work, as files in the run's `control/`: they survive until an engine has taken them."""

from __future__ import annotations

import json
import os
import time
from enum import StrEnum
from pathlib import Path

import msgspec

from sciflow.core.expr import Tree
from sciflow.errors import RunDamaged


class Verb(StrEnum):
    """What can be asked of an engine."""

    STOP = "stop"  # nothing new; what runs may end; the exit handler runs
    TERMINATE = "terminate"  # kill what runs; no exit handler
    SUSPEND = "suspend"  # nothing new until resumed
    RESUME = "resume"  # go on; with a node: that one, with a value


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    verb: Verb
    node: str = ""
    value: Tree = None


def post(folder: Path, request: Request) -> Path:
    """Leaves a request for the engine, which looks about every quarter of a second and removes what it has taken.

    Raises:
        RunDamaged: the folder is gone or cannot be written.
    """
    name = f"{time.time_ns():020d}-{os.getpid()}.json"
    text = json.dumps({"verb": request.verb.value, "node": request.node, "value": request.value})
    beside = folder / f".{name}"
    try:
        beside.write_text(text)
        return beside.rename(folder / name)
    except OSError as error:
        raise RunDamaged(f"{folder}: {error.strerror}: the run's folder must exist and be writable") from error


def collect(folder: Path) -> list[Request]:
    """Takes all requests out of the folder, the oldest first."""
    taken = []
    for name in sorted(os.listdir(folder)):
        if name.startswith("."):
            continue
        path = folder / name
        facts = json.loads(path.read_text())
        path.unlink()
        taken.append(Request(verb=Verb(facts["verb"]), node=facts["node"], value=facts["value"]))
    return taken
