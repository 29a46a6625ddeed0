"""Grid Engine on loopback, in namespaces of its own: it insists on a host name that resolves, and on fixed folders.

Its clients enter the namespaces by themselves: they lie in `bin/` of its folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.services import packages
from tests.services.processes import Processes, ServiceFailed, soon

_NEEDED = ("gridengine-master", "gridengine-exec", "gridengine-client", "iproute2")
_CLIENTS = ("qsub", "qstat", "qdel", "qacct", "qconf", "qhold", "qrls", "qmod", "qhost", "qalter", "qselect")
_SPACES = ("--net", "--uts", "--mount", "--pid")
_ENV = {"SGE_ROOT": "/var/lib/gridengine", "SGE_CELL": "default", "SGE_QMASTER_PORT": "6444", "SGE_EXECD_PORT": "6445"}
_ANY_USER = {"user_lists": "NONE", "xuser_lists": "NONE"}

QUEUES = ("main.q", "short.q")  # short.q: 5 minutes at most
PARALLEL = ("smp", "mpi")


@dataclass(frozen=True)
class Sge:
    """A Grid Engine that answers. Its clients are found by `env`, which holds a PATH; jobs run as this user."""

    folder: Path
    queues: tuple[str, ...] = QUEUES
    parallel: tuple[str, ...] = PARALLEL

    @property
    def env(self) -> dict[str, str]:
        """What a client's environment must hold; to be given to an sshd as SetEnv too."""
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def run(self, *argv: str, timeout_s: float = 20.0, check: bool = True, stdin: str = "") -> str:
        """Runs a client; what it wrote to standard output, without the last newline."""
        program = str(self.folder / "bin" / argv[0])
        done = subprocess.run(
            [program, *argv[1:]], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if check and done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise ServiceFailed(f"{' '.join(argv)} ended with {done.returncode}: {said}")
        return done.stdout.rstrip("\n")

    def tidy(self) -> None:
        """As after the start: no job is left, the queues serve."""
        self.run("qmod", "-e", "*", check=False)
        self.run("qdel", "-f", "-u", "*", check=False)
        if not soon(lambda: not self.run("qstat", "-u", "*"), 20.0, every_s=0.1):
            raise ServiceFailed(f"jobs of Grid Engine do not end:\n{self.run('qstat', '-u', '*')}")


class SgeService:
    """Son of Grid Engine 8.1.9 as Debian packages it."""

    name = "sge"
    what = "Grid Engine, one host"

    def missing(self) -> str:
        if lacking := packages.no_packages(*_NEEDED):
            return lacking
        if os.geteuid() != 0:
            return "its namespaces are made as root"
        tried = subprocess.run(["unshare", *_SPACES, "--fork", "true"], capture_output=True, check=False)
        return "this kernel, or the container around, makes no namespaces" if tried.returncode else ""

    def install(self) -> None:
        packages.apt(*_NEEDED)

    def start(self, folder: Path) -> Sge:
        shutil.copytree("/var/lib/gridengine", folder / "root", symlinks=True)
        shutil.copytree("/var/spool/gridengine", folder / "spool", symlinks=True)
        packages.run(["chown", "-R", "sgeadmin:sgeadmin", str(folder / "root"), str(folder / "spool")])
        processes = Processes(folder)
        script = str(Path(__file__).with_name("sge_host.sh"))
        argv = ["unshare", *_SPACES, "--fork", "--kill-child", "--mount-proc", "sh", script, str(folder)]
        processes.start("sge-host", argv, env={**_ENV, "SGE_ND": "1"}, ready=(folder / "inside-is-set-up").exists)
        _write_clients(folder)
        sge = Sge(folder)
        if not soon(lambda: "global" in sge.run("qconf", "-sconf", check=False), 20.0, every_s=0.1):
            raise ServiceFailed(f"qmaster of Grid Engine does not answer\n{processes.tail('sge-host')}")
        _configure(sge)
        processes.start("sge-execd", [*_enter(folder), "/usr/sbin/sge_execd"], env={**_ENV, "SGE_ND": "1"})
        if not soon(lambda: re.search(r"localhost +lx", sge.run("qhost", check=False)), 20.0, every_s=0.1):
            raise ServiceFailed(f"execd of Grid Engine does not answer\n{processes.tail('sge-execd')}")
        return sge

    def stop(self, folder: Path) -> None:
        """The first process of the namespace is killed, and the kernel kills all others."""
        processes = Processes(folder)
        if host := processes.get("sge-host"):
            host.signal(signal.SIGKILL)
        processes.end()
        processes.end_descendants()


def _enter(folder: Path) -> list[str]:
    """The argv before a program that shall run inside."""
    host = Processes(folder).get("sge-host")
    assert host is not None
    inside = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text("utf-8").split()[0]
    return ["nsenter", "--target", inside, *_SPACES]


def _write_clients(folder: Path) -> None:
    """What Debian has in PATH is a wrapper that takes longer than the client."""
    enter = shlex.join(_enter(folder))
    settings = shlex.join(f"{name}={value}" for name, value in _ENV.items())
    (folder / "bin").mkdir()
    for name in _CLIENTS:
        program = f"env {settings} /usr/lib/gridengine/{name}"
        path = folder / "bin" / name
        path.write_text(f'#!/bin/sh\nexec {enter} --wd="$PWD" {program} "$@"\n', "utf-8")
        path.chmod(0o755)


def _configure(sge: Sge) -> None:
    """One host of 64 slots, two queues, two parallel environments, and a scheduler that looks each second."""
    reporting = "accounting=true reporting=false accounting_flush_time=00:00:00 flush_time=00:00:01 joblog=false"
    settings = {"min_uid": "0", "min_gid": "0", "load_report_time": "00:00:02", "mailer": "/bin/true"}
    settings["login_shells"] = "none"  # as it comes a job's shell reads the profile of whoever runs the tests
    _change(sge, "conf", {**settings, "reporting_params": f"{reporting} sharelog=00:00:00"}, name="global")
    quick = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
    _change(sge, "sconf", {**quick, "job_load_adjustments": "NONE", "max_pending_tasks_per_job": "1000"})
    sge.run("qconf", "-as", "localhost")
    scaling = {"load_scaling": "NONE", "usage_scaling": "NONE", "complex_values": "NONE", "report_variables": "NONE"}
    _add(sge, "e", {"hostname": "localhost", **scaling, **_ANY_USER, "projects": "NONE", "xprojects": "NONE"})
    _add(sge, "hgrp", {"group_name": "@allhosts", "hostlist": "localhost"})
    for name in PARALLEL:
        procedures = {"start_proc_args": "NONE", "stop_proc_args": "NONE", "qsort_args": "NONE"}
        rules = {"allocation_rule": "$pe_slots", "control_slaves": "TRUE", "job_is_first_task": "TRUE"}
        sums = {"urgency_slots": "min", "accounting_summary": "FALSE"}
        _add(sge, "p", {"pe_name": name, "slots": "64", **_ANY_USER, **procedures, **rules, **sums})
    template = _records(sge.run("qconf", "-sq"))
    common = {"hostlist": "@allhosts", "slots": "64", "pe_list": " ".join(PARALLEL), "load_thresholds": "NONE"}
    for name, seconds in zip(QUEUES, ("INFINITY", "00:05:00"), strict=True):
        more = {"qname": name, "h_rt": seconds, "rerun": "TRUE", "notify": "00:00:05"}
        _add(sge, "q", {**template, **common, **more})


def _records(text: str) -> dict[str, str]:
    """Its configuration as it shows it: a name and a value in each line, long ones continued."""
    lines = text.replace("\\\n", " ").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: " ".join(pair[1].split()) if len(pair) > 1 else "NONE" for pair in pairs}


def _change(sge: Sge, kind: str, changes: Mapping[str, str], *, name: str = "scheduler") -> None:
    path = _written(sge, name, {**_records(sge.run("qconf", f"-s{kind}")), **changes})
    sge.run("qconf", f"-M{kind}", str(path))


def _add(sge: Sge, kind: str, record: Mapping[str, str]) -> None:
    sge.run("qconf", f"-A{kind}", str(_written(sge, "added", record)))


def _written(sge: Sge, name: str, record: Mapping[str, str]) -> Path:
    path = sge.folder / name
    path.write_text("".join(f"{key} {value}\n" for key, value in record.items()), "utf-8")
    return path
