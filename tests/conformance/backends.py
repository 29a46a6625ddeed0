"""Where the table is run. A back end gives runs; a case looks at them through their handles."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import pytest

from sciflow import Run, list_runs
from sciflow.executors.argo.manifest.naming import dns_name
from tests.services.kubernetes.service import Kubernetes
from tests.services.podman import Podman
from tests.services.sge import Sge
from tests.services.slurm import Slurm
from tests.services.sshd import Sshd
from tests.services.stand_ins import StandIn


class Backend(Protocol):
    """A place to run workflows at.

    `desk` is a folder of the author's machine, for input files and modules.
    """

    name: str
    desk: Path
    long: int  # how many steps, one after the other, are many there

    def run(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """A run that has ended, or waits for somebody."""

    def start(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """A run that goes on beside the test."""

    def plan(self, workflow: Any, inputs: Mapping[str, Any]) -> Any:
        """What a run would do."""

    def runs(self) -> list[Any]:
        """All runs of this case."""

    def dial(self, value: str) -> None:
        """Set the secret `CONFORMANCE_DIAL`, by which an op's world changes between two goes of one run."""

    def module(self, name: str, source: str) -> ModuleType:
        """The user's module of that name with this source, newly imported; call again to edit it."""


class Local:
    """Worker processes of this machine; `start` gives the run an engine in a process of its own."""

    name = "local"
    long = 1000

    def __init__(self, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        self._runs = desk / "runs"
        self._patch = monkeypatch
        settings = {"RUNS": str(self._runs), "PROGRESS": "false", "DURABLE": "normal", "WORKERS": "2"}
        for name, value in settings.items():
            monkeypatch.setenv(f"SCIFLOW_{name}", value)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # a worker is given as many as its ops have cores

    def run(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        return _with(workflow, options).run(**inputs)  # type: ignore[no-any-return]

    def start(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        return _with(workflow, options).submit(**inputs)  # type: ignore[no-any-return]

    def plan(self, workflow: Any, inputs: Mapping[str, Any]) -> Any:
        """See `Backend`."""
        return workflow.plan(**inputs)

    def runs(self) -> list[Any]:
        """See `Backend`."""
        return list_runs(runs=self._runs) if self._runs.exists() else []

    def dial(self, value: str) -> None:
        """See `Backend`."""
        self._patch.setenv("CONFORMANCE_DIAL", value)

    def module(self, name: str, source: str) -> ModuleType:
        """See `Backend`."""
        folder = self.desk / "modules"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        if str(folder) not in sys.path:
            self._patch.syspath_prepend(folder)
        self._patch.setattr(sys, "dont_write_bytecode", True)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(name)


def _with(workflow: Any, options: Mapping[str, Any]) -> Any:
    return workflow.options(**options) if options else workflow


class Elsewhere(Local):
    """Tasks run at an executor of the settings, on which a real service stands behind it."""

    name = "cluster"
    long = 10
    service: ClassVar[str] = ""  # fixtures that must be there, by name

    def __init__(self, desk: Path, monkeypatch: pytest.MonkeyPatch, service: Any) -> None:
        super().__init__(desk, monkeypatch)
        table = {"look_least_s": 0.1, "look_most_s": 0.5, **self.table(desk, service)}
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({self.name: table}))
        monkeypatch.setenv("SCIFLOW_EXECUTOR", self.name)

    def table(self, desk: Path, service: Any) -> dict[str, Any]:
        """The settings of the executor."""
        raise NotImplementedError


class Queue(Elsewhere):
    """A batch system."""

    system: ClassVar[str] = "slurm"

    def settings(self) -> dict[str, Any]:
        """Those of every batch system here; a fan of many slices becomes 40 elements, of which four run at once."""
        return {"type": "batch", "system": self.system, "throttle": 4, "elements": 40}


class SlurmHere(Queue):
    """Slurm, its commands on this machine, in a folder of its own as if it were another one."""

    service = "slurm"

    def table(self, desk: Path, service: Slurm) -> dict[str, Any]:
        """See `Elsewhere`."""
        self._patch.setenv("SLURM_CONF", str(service.conf))
        return {**self.settings(), "work_root": f"{desk}-scratch"}


class SlurmShared(Queue):
    """Slurm whose nodes see the run folder."""

    service = "slurm"

    def table(self, desk: Path, service: Slurm) -> dict[str, Any]:
        """See `Elsewhere`."""
        self._patch.setenv("SLURM_CONF", str(service.conf))
        return self.settings()


class SlurmOverSsh(Queue):
    """Slurm on a machine that only SSH reaches."""

    service = "slurm_over_ssh"

    def table(self, desk: Path, service: Sshd) -> dict[str, Any]:
        """See `Elsewhere`."""
        return {**self.settings(), **over_ssh(desk, service)}


class OnPath(Queue):
    """A batch system whose programs are put on the PATH, in a folder of its own as if it were another machine."""

    def table(self, desk: Path, service: Sge | StandIn) -> dict[str, Any]:
        """See `Elsewhere`."""
        self._patch.setenv("PATH", service.env["PATH"])
        return {**self.settings(), "work_root": f"{desk}-scratch"}


class Pbs(OnPath):
    """Programs that behave like those of OpenPBS."""

    service = system = "pbs"


class Lsf(OnPath):
    """Programs that behave like those of LSF."""

    service = system = "lsf"


class GridEngine(OnPath):
    """Grid Engine."""

    service = system = "sge"


class ShellOverSsh(Queue):
    """A machine without a batch system that only SSH reaches."""

    service = "plain_machine"
    system = "shell"

    def table(self, desk: Path, service: Sshd) -> dict[str, Any]:
        """See `Elsewhere`."""
        return {**self.settings(), **over_ssh(desk, service)}


class ShellHere(Elsewhere):
    """Processes of this machine that go on without the engine."""

    def table(self, desk: Path, service: Any) -> dict[str, Any]:
        """See `Elsewhere`."""
        self._patch.setenv("HOME", str(desk))  # a queue of its own: else all tests of a user share the machine's cores
        return {"type": "batch", "system": "shell", "cpus": 4, "gpus": 2}


def over_ssh(desk: Path, server: Sshd) -> dict[str, Any]:
    """Settings of a machine that is reached by SSH, and has our packages."""
    return {
        "host": server.host,
        "ssh_config": str(server.config),
        "work_root": f"{desk}-scratch",
        "python": sys.executable,
    }


class InContainers(Elsewhere):
    """Containers of podman, with the Python and the packages of this machine, which images need not have."""

    name = "box"
    service = "podman"

    def table(self, desk: Path, service: Podman) -> dict[str, Any]:
        """See `Elsewhere`."""
        return {
            "type": "container",
            "engine": "podman",
            "image": service.python_image,
            "python": sys.executable,
            "mounts": [sys.prefix, sys.base_prefix],
        }


class OnDask(Elsewhere):
    """Workers of Dask on this machine."""

    name = "pool"
    long = 100
    service = "dask"

    def table(self, desk: Path, service: str) -> dict[str, Any]:
        """See `Elsewhere`."""
        return {
            "type": "futures",
            "factory": "sciflow.executors.futures.dask:pool",
            "arguments": {"address": service},
        }


class OnArgo(Elsewhere):
    """Workflows of Argo on Kubernetes, their tasks in pods."""

    name = "argo"
    long = 6
    service = "kubernetes"

    def table(self, desk: Path, service: Kubernetes) -> dict[str, Any]:
        """See `Elsewhere`; the variables that cases have secrets in are entries of a Secret of its own."""
        self._cluster = service
        self._secret = dns_name(f"case-{desk}")
        self._file = desk.parent / "token.txt"  # which a case has a secret in
        self._told: dict[str, str] = {}
        for name, value in service.s3.env.items():
            self._patch.setenv(name, value)
        self._patch.setenv("ARGO_USER_TOKEN", service.token)
        bucket = {"type": "s3", "endpoint": service.s3.url, "bucket": service.s3.bucket}
        self._patch.setenv("SCIFLOW_STORAGES", json.dumps({"bucket": bucket}))
        return {
            "type": "argo",
            "server": service.argo_url,
            "namespace": service.namespace,
            "storage": "bucket",
            "token": {"env": "ARGO_USER_TOKEN"},
            "base_image": service.base_image,
            "image": service.ase_image,
            "pods": 3,
            "parallelism": 4,
            "keep_workflow_s": 120,  # hundreds of them, and their pods, would make the cluster slow
            "secrets": {
                **{name: f"{self._secret}/{name}" for name in SECRETS},
                str(self._file): f"{self._secret}/file",
            },
        }

    def run(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        self._hand_over()
        return super().run(workflow, inputs, **options)

    def start(self, workflow: Any, inputs: Mapping[str, Any], **options: Any) -> Run[Any]:
        """See `Backend`."""
        self._hand_over()
        return super().start(workflow, inputs, **options)

    def dial(self, value: str) -> None:
        """See `Backend`."""
        super().dial(value)
        self._hand_over()

    def _entries(self) -> dict[str, str]:
        """The entries of the Secret, by what workflows have in their place."""
        return {**{name: name for name in SECRETS}, str(self._file): "file"}

    def _hand_over(self) -> None:
        """Gives the cluster the secrets that are in the environment now."""
        known = {name: os.environ[name] for name in SECRETS if name in os.environ}
        known |= {"file": self._file.read_text().strip()} if self._file.exists() else {}
        if known != self._told:
            self._told = known
            secret = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": self._secret, "namespace": self._cluster.namespace},
                "stringData": known,
            }
            self._cluster.run("kubectl", "apply", "-f", "-", stdin=json.dumps(secret))


SECRETS = ("CONFORMANCE_DIAL",)  # variables that cases have secrets in

BACKENDS: dict[str, type[Local]] = {
    "local": Local,
    "slurm": SlurmHere,
    "slurm-shared": SlurmShared,
    "slurm-ssh": SlurmOverSsh,
    "shell": ShellHere,
    "shell-ssh": ShellOverSsh,
    "pbs": Pbs,
    "lsf": Lsf,
    "sge": GridEngine,
    "podman": InContainers,
    "dask": OnDask,
    "argo": OnArgo,
}
