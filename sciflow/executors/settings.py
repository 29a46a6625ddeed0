"""What a user writes of an executor in `sciflow.toml`, `[executors.NAME]`, checked as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from sciflow.core.graph import Secret
from sciflow.errors import InvalidSettings, Problem
from sciflow.executors.containers.box import Box, Engine
from sciflow.executors.origins import origin
from sciflow.executors.settings_check import problems_of, problems_of_argo_place, problems_of_batch, problems_of_cleanup
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
    workers: int = 1  # tasks that a job of the batch system runs at once
    look_least_s: float = 0.5
    look_most_s: float = 30.0
    marks_patience_s: float | None = None  # with files that nodes have written; none: as the batch system asks for
    settings: dict[str, Any] = {}  # where programs lie there; ops read it by context().host
    cleanup: str = "keep"  # what becomes of a run's files there: "keep", "on_success", or an age such as "30d"
    container: Engine | Box | None = None  # what runs the image that a node names
    argo_secret: str = ""  # the Secret of Kubernetes with which pods of a run on Argo log in there
    cpus: int | None = None  # of this machine, where no batch system counts them; none: all that there are
    memory_mb: int | None = None
    gpus: int | None = None

    @property
    def box(self) -> Box | None:
        """How containers are run."""
        return Box(engine=self.container) if isinstance(self.container, str) else self.container

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


class ContainerSettings(Box, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="container", tag_field="type"):
    """`type = "container"`: tasks in containers on this machine, as many at once as it has cores, memory and GPUs."""

    walltime_s: float | None = None
    elements: int = 1000
    look_least_s: float = 0.2
    look_most_s: float = 2.0
    settings: Mapping[str, Any] = {}  # as for a batch system
    cpus: int | None = None
    memory_mb: int | None = None
    gpus: int | None = None

    @property
    def batch(self) -> BatchSettings:
        """The same, said of the queue of processes that looks after them."""
        box = {name: getattr(self, name) for name in Box.__struct_fields__}
        shared = {name: getattr(self, name) for name in self.__struct_fields__ if name not in box}
        return BatchSettings(system="shell", container=Box(**box), **shared)


class FuturesSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="futures", tag_field="type"
):
    """`type = "futures"`: processes that a pool of `concurrent.futures` starts, which sees the run folder."""

    factory: str  # "module:name" of what makes the pool
    arguments: dict[str, Any] = {}  # by name, to the factory
    workers: int | None = None  # elements at once that it takes; none: asked for
    python: str = ""  # 3.9 or newer, where the pool's workers are
    work_root: str = ""  # for the runner and code, a folder that they see; none: in the run folder
    walltime_s: float | None = None
    look_least_s: float = 0.1
    look_most_s: float = 2.0
    settings: dict[str, Any] = {}  # as for a batch system


class ArgoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="argo", tag_field="type"):
    """`type = "argo"`: a run as a workflow of Argo, its tasks in pods of Kubernetes."""

    namespace: str
    storage: str  # the bucket, one of [storages]: that of Argo's artifact repository
    server: str = ""  # https://HOST:PORT of Argo's server; none: `kubeconfig`
    kubeconfig: str = ""  # a file, or "in-cluster": Kubernetes itself instead of Argo's server
    context: str = ""  # of that file; none: its own choice
    token: Secret | None = None  # { env = "ARGO_TOKEN" } or { file = "..." }
    ca_file: str = ""  # certificates to trust instead of the machine's own
    verify: bool = True
    endpoint_inside: str = ""  # of the bucket, where pods reach it by another address
    base_image: str = "sciflow-base"  # Python 3.11+ with msgspec and minio; paramiko
    image: str = ""  # of tasks that name none; none: the same
    python: str = "python3"  # 3.9 or newer, in the images of tasks
    secret: str = "s3"  # noqa: S105  the name of the Secret that has the keys of the bucket
    access_key: str = "key"  # names of its entries
    secret_key: str = "secret"  # noqa: S105
    secrets: dict[str, str] = {}  # what `Secret(env=NAME)` is there: NAME -> "SECRET/KEY"
    service_account: str = ""
    executor_account: str = "default"  # whose token Argo's own containers have
    pull_secrets: tuple[str, ...] = ()
    user: int | Literal["namespace"] = 1000  # by whom pods are run; or as the namespace, or else an image, says
    pods: int = 32  # of a fan, unless it says how many slices make one
    most_pods: int = 5000  # of a run: Kubernetes keeps an object of 1 MB, and each takes some 120 bytes of it
    workers: int = 1  # slices at once in a pod
    parallelism: int | None = None  # pods of a run at once
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    priority_class: str = ""
    lost_retries: int = 2  # of a pod that was lost
    cleanup: str = "keep"  # or "on_success", or an age: what becomes of a run's files and its workflow
    keep_workflow_s: int | None = None  # after its end; none: as the cluster does
    start_limit_s: float = 600.0  # for which a pod may be kept from starting, by its image or a Secret
    look_least_s: float = 1.0
    look_most_s: float = 15.0
    settings: dict[str, Any] = {}  # as for a batch system

    @property
    def way(self) -> str:
        """What it is reached by, in a few words."""
        context = f", context {self.context}" if self.context else ""
        return f"at {self.server}" if self.server else f"through kubeconfig {self.kubeconfig}{context}"


ExecutorSettings: TypeAlias = BatchSettings | FuturesSettings | ArgoSettings
_Written: TypeAlias = BatchSettings | ContainerSettings | FuturesSettings | ArgoSettings
_WRITTEN: Mapping[str, type[_Written]] = {
    "batch": BatchSettings,
    "container": ContainerSettings,
    "futures": FuturesSettings,
    "argo": ArgoSettings,
}


def parse_executor(name: str, table: Mapping[str, Any]) -> ExecutorSettings:
    """The settings of one executor.

    Raises:
        InvalidSettings: with all that is wrong.
    """
    kind = _WRITTEN.get(str(table.get("type")))
    if kind is None:
        near = difflib.get_close_matches(str(table.get("type")), _WRITTEN, n=1)
        raise InvalidSettings(
            [
                Problem(
                    where=origin(name, "type"),
                    what=f"executor {name}: unknown type {table.get('type')!r}",
                    expected="one of " + ", ".join(_WRITTEN),
                    fix=f"did you mean {near[0]!r}?" if near else "",
                )
            ]
        )
    problems = problems_of(name, table, kind)
    if problems:
        raise InvalidSettings(problems)
    settings = msgspec.convert(table, type=kind)
    settings = settings.batch if isinstance(settings, ContainerSettings) else settings
    problems = problems_together(name, settings)
    if problems:
        raise InvalidSettings(problems)
    return settings


def problems_together(name: str, settings: ExecutorSettings) -> list[Problem]:
    """What is wrong although each setting by itself will do."""
    match settings:
        case BatchSettings():
            return problems_of_batch(name, settings)
        case ArgoSettings():
            return [*problems_of_argo_place(name, settings), *problems_of_cleanup(name, settings.cleanup)]
        case FuturesSettings():
            return []
