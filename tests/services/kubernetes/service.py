"""A Kubernetes of one node with Argo Workflows and an S3 server; its pods are in the host's network.

It has fixed addresses and takes cgroups and folders that belong to the machine: there is one on a machine, which all
tests share.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import packages
from tests.services.kubernetes import cluster, images, outage, programs
from tests.services.kubernetes.parts import kubeconfig
from tests.services.processes import Processes, ServiceFailed
from tests.services.s3 import S3Server, SeaweedService
from tests.services.service import NotHereError

_NEEDED = ("containerd", "runc", "containernetworking-plugins", "openssl", "ca-certificates", "gcc", "libc6-dev")
_RECORD = "cluster.json"


@dataclass(frozen=True)
class Kubernetes:
    """A cluster that answers, with Argo for the workflows of one namespace."""

    folder: Path
    token: str = field(repr=False)  # of an account that may do with workflows what a user may
    s3: S3Server  # pods reach it at the same address; Argo keeps artifacts in its bucket
    argo_url: str = f"http://127.0.0.1:{cluster.ARGO_PORT}"
    namespace: str = cluster.NAMESPACE
    s3_secret: str = "s3"  # the secret in the namespace that holds the credentials under `key` and `secret`
    base_image: str = images.BASE  # Python, msgspec, minio, paramiko
    ase_image: str = images.ASE  # and ASE, NumPy, SciPy
    tool_image: str = images.TOOL  # a shell, no Python

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return kubeconfig(self.folder)

    @property
    def env(self) -> dict[str, str]:
        """For `kubectl` and `argo`, and what a client of the REST interface has to know."""
        return {
            **self.s3.env,
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{programs.folder()}:{os.environ['PATH']}",
            "ARGO_URL": self.argo_url,
            "ARGO_NAMESPACE": self.namespace,
            "USER_TOKEN": f"Bearer {self.token}",
            "S3_ENDPOINT": self.s3.url,
            "S3_BUCKET": self.s3.bucket,
        }

    def without(self, part: str) -> AbstractContextManager[None]:
        """`with cluster.without("argo-server"):` it is killed, and there again afterwards; also `s3`: see `outage`."""
        return outage.without_s3(self.s3) if part == "s3" else outage.without(self.folder, part)

    def run(self, *argv: str, timeout_s: float = 60.0, check: bool = True, stdin: str | None = None) -> str:
        """Runs a client, `kubectl ...` or `argo ...`; what it wrote to standard output, without the last newline."""
        done = subprocess.run(
            argv,
            env={**os.environ, **self.env},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise ServiceFailed(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")


class KubernetesService:
    name = "kubernetes"
    what = "Kubernetes with Argo"

    def missing(self) -> str:
        if os.geteuid() != 0:
            return "its node is started as root"
        if lacking := packages.no_packages(*_NEEDED) or SeaweedService().missing():
            return lacking
        if programs.built() and all(archive.is_file() for archive in images.archives()):
            return ""
        how = "is being built" if packages.busy_s(self.name) else "not built: make services"
        return f"{how}; {programs.end_of_log()}"

    def install(self) -> None:
        """25 minutes on two cores where nothing is there yet."""
        if os.geteuid() != 0:
            raise NotHereError("needs root: its node is started as root")
        with packages.alone(self.name):
            packages.apt(*_NEEDED)
            SeaweedService().install()
            programs.build()
            images.build()

    def await_installation(self, limit_s: float) -> None:
        """Waits while another process installs it, until that has taken so long."""
        while 0.0 < packages.busy_s(self.name) < limit_s:
            time.sleep(1.0)

    def start(self, folder: Path) -> Kubernetes:
        (folder / "s3").mkdir()
        s3 = SeaweedService().start(folder / "s3")
        token = cluster.start(folder, s3)
        record = {"token": token, "port": s3.port, "access_key": s3.access_key, "secret_key": s3.secret_key}
        path = folder / _RECORD
        path.touch(mode=0o600)
        path.write_text(json.dumps(record), "utf-8")
        return self.found(folder)

    def found(self, folder: Path) -> Kubernetes:
        """The one that another process started there."""
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        s3 = S3Server(folder / "s3", "seaweedfs", record["port"], record["access_key"], record["secret_key"])
        return Kubernetes(folder, record["token"], s3)

    def stop(self, folder: Path) -> None:
        cluster.stop(folder)
        Processes(folder / "s3").end()
