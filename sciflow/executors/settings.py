"""What a user writes of an executor in `sciflow.toml`, `[executors.NAME]`, checked as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from sciflow.errors import ConfigError
from sciflow.executors.systems.system import Site


class BatchSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="batch", tag_field="type"
):
    """`type = "batch"`: jobs of a batch system, on this machine or on one reached by SSH."""

    system: Literal["slurm", "pbs", "lsf", "sge", "shell"]
    host: str = ""  # as one would type it after `ssh`; none: this machine
    ssh_config: str = ""  # instead of ~/.ssh/config
    work_root: str = ""  # a folder that the nodes see too; none, on this machine: the run's own folder
    python: str = ""  # 3.9 or newer, there
    options: dict[str, Any] = {}  # of the batch system, see its page
    queue: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    exclusive: bool = False
    extra: tuple[str, ...] = ()
    prologue: tuple[str, ...] = ()
    walltime_s: float | None = None
    elements: int = 1000
    throttle: int | None = None
    look_least_s: float = 0.5
    look_most_s: float = 30.0
    settings: dict[str, Any] = {}  # where programs lie there; ops read it by context().host
    cleanup: str = "keep"  # what becomes of a run's files there: "keep", "on_success", or an age such as "30d"

    @property
    def site(self) -> Site:
        """What every job asks for."""
        return Site(
            queue=self.queue,
            account=self.account,
            qos=self.qos,
            constraint=self.constraint,
            exclusive=self.exclusive,
            extra=self.extra,
            prologue=self.prologue,
        )


ExecutorSettings: TypeAlias = BatchSettings


def parse_executor(name: str, table: Mapping[str, Any]) -> ExecutorSettings:
    """The settings of one executor.

    Raises:
        ConfigError: what is wrong, with the names that there are.
    """
    try:
        return msgspec.convert(table, type=BatchSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"executor {name}: {_explained(str(error), table)}") from error


def _explained(problem: str, table: Mapping[str, Any]) -> str:
    unknown = [key for key in table if f"`{key}`" in problem and "unknown field" in problem]
    fields = [field.encode_name for field in msgspec.structs.fields(BatchSettings)]
    near = [match for key in unknown for match in difflib.get_close_matches(key, fields, n=1)]
    return problem + (
        f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(fields)}" if unknown else ""
    )
