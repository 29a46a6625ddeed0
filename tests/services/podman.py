"""podman with storage of its own, and two images that came from no registry."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services import images, packages
from tests.services.processes import Processes, ServiceFailed

_NEEDED = ("podman", "runc", "busybox-static")

_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
[storage.options]
additionalimagestores = ["{store}"]
"""

# crun wants to raise limits and a pure cgroup hierarchy; runc takes what there is.
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{folder}/networks"
"""


@dataclass(frozen=True)
class Podman:
    """The program is `podman`, and needs `env`: two files that name storage, runtime and limits."""

    folder: Path
    python_image: str = images.PYTHON  # Python 3.11, sh, bash, coreutils
    bare_image: str = images.BARE  # busybox alone

    @property
    def env(self) -> dict[str, str]:
        return {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }

    def run(self, *arguments: str, timeout_s: float = 60.0, check: bool = True) -> str:
        """`podman ARGUMENTS`; what it wrote to standard output, without the last newline."""
        done = subprocess.run(
            ["podman", *arguments],
            env=Processes(self.folder).environment(**self.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            raise ServiceFailed(f"podman {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def containers(self) -> list[str]:
        """Names of all containers, also of those that have ended."""
        return self.run("ps", "--all", "--format", "{{.Names}}").split()

    def tidy(self) -> None:
        """No container is left."""
        self.run("rm", "--all", "--force", "--time=0")


class PodmanService:
    name = "podman"
    what = "podman, two images"

    def missing(self) -> str:
        if lacking := packages.no_packages(*_NEEDED):
            return lacking
        if os.geteuid() != 0:
            return "its containers are started as root"
        return "" if images.built() else "no images yet: make services"

    def install(self) -> None:
        packages.apt(*_NEEDED)
        images.build()

    def start(self, folder: Path) -> Podman:
        storage = _STORAGE.format(driver=images.driver(), folder=folder, store=images.store())
        (folder / "storage.conf").write_text(storage, "utf-8")
        (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder), "utf-8")
        podman = Podman(folder)
        podman.run("run", "--rm", "--network=none", podman.bare_image, "true")
        return podman

    def stop(self, folder: Path) -> None:
        if (folder / "storage.conf").exists():
            Podman(folder).run("rm", "--all", "--force", "--time=0", check=False)
            Podman(folder).run("system", "prune", "--force", check=False)
        Processes(folder).end_descendants()
        subprocess.run(["umount", "--quiet", str(folder / "graph" / "overlay")], check=False, capture_output=True)
