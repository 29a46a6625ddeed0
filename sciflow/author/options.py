"""The options of ops, nodes and runs: their names, and what each takes.

Standard library only and clean for Python 3.9: a decorator with options is run wherever an op runs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, TypedDict

    from sciflow.author.secret import SecretRef
else:

    class TypedDict:
        """Stands for typing's where only names count: that one compiles every annotation, in every worker."""

        def __init_subclass__(cls, total: bool) -> None:
            """Take the keyword that typing's takes."""


class OpOptions(TypedDict, total=False):
    """What may be said where an op is defined; a node's own options go before."""

    retries: int  # runs again after TransientError, a lost place, or what `retry_on` names
    retry_on: Sequence[type[BaseException]]
    backoff_s: float  # wait before the first retry
    backoff_factor: float  # each further wait is so many times longer
    backoff_max_s: float
    timeout_s: float | None
    cache: bool  # take the outputs of an earlier task of the same code and inputs
    isolate: bool  # a fresh process for every task
    priority: int  # higher goes first
    locks: str | Sequence[str] | Mapping[str, int]  # name -> how many tasks of the run may hold it at once
    keep: str | Sequence[str]  # patterns of left files to keep; none given: all
    never_keep: str | Sequence[str]
    env: Mapping[str, str | SecretRef]
    cpus: int
    memory_mb: int
    gpus: int
    gpu_type: str  # this and what follows speak to batch systems
    ranks: int  # MPI processes, of `cpus` and `memory_mb` each
    nodes: int
    walltime_s: float | None
    memory_growth: float  # an attempt after one that ran out of memory asks for so many times as much
    walltime_growth: float
    executor: str | None
    image: str | None


class NodeOptions(OpOptions, total=False):
    """What may be said of one call of an op; of a fan also `min_success`."""

    name: str  # the node's id
    key: str  # the task's own name, with holes: "relax-{item}", "{structure}-{scale}"
    after: Any  # a reference, or several, that must have ended before
    chunk: int | None  # of a fan: slices per job
    parallelism: int | None  # of a fan: slices at once
    workers: int | None  # of a run of the op alone, and all the following
    runs: str | Path | None  # folder of the run folders
    durable: bool | None
    progress: bool
    reuse: Mapping[str, Any]  # key -> task of an earlier run, or a value


class WorkflowOptions(TypedDict, total=False):
    """What may be said of a call of a workflow, or of its run."""

    name: str  # of a node its id, of a run its name
    timeout_s: float | None
    parallelism: int | None  # slices at once, tasks at once
    key: str  # of a node
    after: Any  # of a node
    priority: int  # of a node
    executor: str | None  # of a run, and all the following
    storage: str | None
    workers: int | None
    runs: str | Path | None  # folder of the run folders
    memory_mb: int | None
    gpus: int | None
    durable: bool | None
    progress: bool
    reuse: Mapping[str, Any]  # key -> task of an earlier run, or a value


OP_NAMES = frozenset(OpOptions.__annotations__)
NODE_NAMES = frozenset(NodeOptions.__annotations__) | OP_NAMES | {"min_success"}
WORKFLOW_NAMES = frozenset(WorkflowOptions.__annotations__) | {"min_success"}
RUN_NAMES = frozenset(
    {
        "name",
        "executor",
        "storage",
        "timeout_s",
        "parallelism",
        "workers",
        "runs",
        "memory_mb",
        "gpus",
        "durable",
        "progress",
        "reuse",
    }
)
RUN_ONLY = frozenset({"executor", "storage", "runs", "durable", "progress", "reuse"})
OP_RUN_ONLY = RUN_ONLY - {"executor"} | {"workers"}
OP_RUN_NAMES = OP_RUN_ONLY | {"name"}  # in a run of the op alone, which has one node and no fan
FAN_ONLY = frozenset({"min_success", "chunk", "parallelism"})
CALL_ONLY = WORKFLOW_NAMES - RUN_NAMES  # of a call of a workflow


def check_names(settings: Mapping[str, Any], known: frozenset[str], of: str) -> None:
    """Refuse options that do not exist.

    Raises:
        InvalidWorkflow: names each, and the option that was probably meant.
    """
    unknown = settings.keys() - known
    if unknown:
        from sciflow.author.option_check import refuse_names

        refuse_names(sorted(unknown), known, of)
