"""A Slurm of two nodes on loopback: munged, slurmctld and a slurmd for each node, without systemd or a database.

Its nodes are this machine, said to have more processors than it has, so that arrays start at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.services import packages
from tests.services.processes import Processes, ServiceFailed, free_ports, soon
from tests.services.slurm_database import NEEDED, know_cluster, start_database
from tests.services.slurm_files import PARTITIONS, configuration, gres

_NEEDED = ("slurm-wlm", "munge")


@dataclass(frozen=True)
class Slurm:
    """A Slurm that answers. Its clients need `env`, nothing else."""

    folder: Path
    nodes: tuple[str, ...]
    partitions: tuple[str, ...] = PARTITIONS

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        """What a client's environment must hold; to be given to an sshd as SetEnv too."""
        return {"SLURM_CONF": str(self.conf)}

    @property
    def finished(self) -> Path:
        """A line for each job that has ended (jobcomp/filetxt): what a site without accounting may still have."""
        return self.folder / "log" / "jobcomp.txt"

    def run(self, *argv: str, timeout_s: float = 20.0, check: bool = True, stdin: str | None = None) -> str:
        """Runs a client; what it wrote to standard output, without the last newline."""
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

    def states(self) -> dict[str, str]:
        """State by job, each element of an array by itself (`12_3`), as long as Slurm remembers it (5 min)."""
        rows = self.run("squeue", "--noheader", "--array", "--states=all", "--format=%i %T").splitlines()
        return dict(row.split() for row in rows)

    # Trouble

    def stop_controller(self) -> None:
        """Clients wait and then fail; running jobs go on."""
        Processes(self.folder).end("slurmctld")

    def start_controller(self) -> None:
        """The controller comes back with the jobs that it knew."""
        start_controller(self.folder)

    def freeze_controller(self) -> None:
        """Clients hang: the controller takes connections and says nothing."""
        self._signal_controller(frozen=True)

    def thaw_controller(self) -> None:
        self._signal_controller(frozen=False)

    def drain(self, *nodes: str) -> None:
        """Nothing new starts there; what runs goes on."""
        self._nodes("drain", nodes)

    def down(self, *nodes: str) -> None:
        """Jobs there end as NODE_FAIL, or are queued again if they allow it."""
        self._nodes("down", nodes)

    def resume(self, *nodes: str) -> None:
        self._nodes("resume", nodes)

    def end_of_time(self, job: str) -> None:
        """The job's walltime is over now. Slurm looks at it twice a minute, so that it ends within 35 s."""
        self.run("scontrol", "update", f"jobid={job}", "endtime=now")

    def tidy(self) -> None:
        """As after the start: the controller answers, both nodes serve, no job is left."""
        self.thaw_controller()
        if "slurmctld" not in Processes(self.folder).alive():
            self.start_controller()
        self._serve()
        self.run("scancel", "--quiet", f"--user={os.geteuid()}", check=False)
        soon(lambda: not self.run("squeue", "--noheader"), 20.0, every_s=0.1)

    def _serve(self) -> None:
        """A node that was set down or drained serves again."""
        for row in self.run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines():
            node, state = row.split()
            if any(word in state for word in ("drain", "down", "fail")):
                self.resume(node)
                self.run("scontrol", "update", f"nodename={node}", "state=undrain", check=False)

    def _nodes(self, state: str, nodes: Sequence[str]) -> None:
        names = ",".join(nodes or self.nodes)
        reason = () if state == "resume" else ("reason=a test",)
        self.run("scontrol", "update", f"nodename={names}", f"state={state}", *reason)

    def _signal_controller(self, *, frozen: bool) -> None:
        if controller := Processes(self.folder).get("slurmctld"):
            controller.signal(signal.SIGSTOP if frozen else signal.SIGCONT)


class SlurmService:
    """Slurm as Debian packages it."""

    def __init__(self, *, nodes: int = 2, cpus: int = 64, accounting: bool = False) -> None:
        self.name = "slurmdbd" if accounting else "slurm"
        self.what = "Slurm with accounting" if accounting else "Slurm, two nodes"
        self._needed = (*_NEEDED, *NEEDED) if accounting else _NEEDED
        self._accounting = accounting
        self._nodes = tuple(f"n{number}" for number in range(1, nodes + 1))
        self._cpus = cpus

    def missing(self) -> str:
        if lacking := packages.no_packages(*self._needed):
            return lacking
        return "" if os.geteuid() == 0 else "its daemons are started as root"

    def install(self) -> None:
        packages.apt(*self._needed)

    def start(self, folder: Path) -> Slurm:
        for name in ("munge", "state", "log", "run", *(f"spool-{node}" for node in self._nodes)):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "munge").chmod(0o700)
        ports = free_ports(1 + len(self._nodes))
        conf = folder / "slurm.conf"
        conf.write_text(configuration(folder, ports, self._nodes, self._cpus), "utf-8")
        (folder / "gres.conf").write_text(gres(self._nodes), "utf-8")
        slurm = Slurm(folder, self._nodes)
        _start_munge(folder)
        if self._accounting:
            conf.write_text(configuration(folder, ports, self._nodes, self._cpus, start_database(folder)), "utf-8")
            know_cluster(folder)
        start_controller(folder, wait=False)
        processes = Processes(folder)
        for node in self._nodes:
            processes.start(f"slurmd-{node}", ["slurmd", "-D", "-N", node], env=slurm.env)
        if not soon(lambda: _all_idle(slurm), 30.0):
            raise ServiceFailed(f"nodes of Slurm do not come up\n{processes.tail('slurmctld')}")
        return slurm

    def stop(self, folder: Path) -> None:
        processes = Processes(folder)
        alive = processes.alive()
        if "slurmctld" in alive:
            slurm = Slurm(folder, self._nodes)
            slurm.thaw_controller()
            _cancel_all(slurm)
        processes.end(*(name for name in reversed(alive) if name != "munged"))
        processes.end()
        processes.end_descendants()


def start_controller(folder: Path, *, wait: bool = True) -> None:
    """Starts slurmctld in the foreground of nobody; with `wait` until it answers."""
    slurm = Slurm(folder, ())
    answers = (lambda: "UP" in slurm.run("scontrol", "ping", check=False)) if wait else (lambda: True)
    Processes(folder).start("slurmctld", ["slurmctld", "-D"], env=slurm.env, ready=answers, patience_s=30.0)


def _start_munge(folder: Path) -> None:
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    socket = folder / "run" / "munge.sock"
    argv = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket}"]
    argv += [f"--pid-file={folder}/run/munged.pid", f"--seed-file={folder}/munge/seed", "--num-threads=4"]
    Processes(folder).start("munged", argv, ready=socket.exists)


def _all_idle(slurm: Slurm) -> bool:
    rows = slurm.run("sinfo", "--noheader", "--Node", "--format=%N %T", check=False).split("\n")
    return all(f"{node} idle" in rows for node in slurm.nodes)


def _cancel_all(slurm: Slurm) -> None:
    """Best effort, in a few seconds: what is left afterwards is ended by its mark."""
    try:
        slurm.run("scancel", "--quiet", "--full", "--signal=KILL", f"--user={os.geteuid()}", check=False, timeout_s=5.0)
        slurm.run("scancel", "--quiet", f"--user={os.geteuid()}", check=False, timeout_s=5.0)
        until = time.monotonic() + 5.0
        while slurm.run("squeue", "--noheader", timeout_s=5.0) and time.monotonic() < until:
            time.sleep(0.1)
    except (subprocess.TimeoutExpired, ServiceFailed):
        return
