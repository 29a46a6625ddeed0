"""What a user writes of containers in the settings of an executor."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Engine: TypeAlias = Literal["podman", "docker", "apptainer"]


class Mount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file or folder of the machine that tasks may see; `to`: at another path than here."""

    source: str
    to: str = ""
    write: bool = False


class Box(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How containers are run."""

    engine: Engine
    image: str = ""  # of nodes that name none
    program: str = ""  # the engine's, if it is not to be found under its name
    python: str = "python3"  # in the image: 3.9 or newer
    network: bool = False
    mounts: tuple[str | Mount, ...] = ()  # a path alone is read and not written
    limits: bool | None = None  # cores and memory of a task are a limit, too; none: where nobody else sees to it
    arguments: tuple[str, ...] = ()  # further options of the engine's `run` (`exec`)
