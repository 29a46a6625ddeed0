"""Accounting for the Slurm of the tests: mariadbd and slurmdbd, so that `sacct` answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.services import packages
from tests.services.processes import Processes, free_ports, listens

NEEDED = ("mariadb-server", "slurmdbd")

_CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
LogFile={folder}/log/database.log
PidFile={folder}/run/slurmdbd.pid
"""

# The socket of munge must be named here too, or the controller finds no resources to account for.
_OF_CONTROLLER = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/run/munge.sock
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
"""

_GRANTS = "create database slurm; " + " ".join(
    f"create user slurm@'{host}' identified by 'slurm'; grant all on slurm.* to slurm@'{host}';"
    for host in ("localhost", "127.0.0.1")
)


def start_database(folder: Path) -> str:
    """Starts both; munge runs already. Gives the controller's lines about them."""
    port, database = free_ports(2)
    _start_mariadb(folder, database)
    path = folder / "slurmdbd.conf"
    path.write_text(_CONFIGURATION.format(folder=folder, port=port, database=database), "utf-8")
    path.chmod(0o600)
    env = {"SLURM_CONF": str(folder / "slurm.conf")}  # slurmdbd.conf is looked for beside it
    Processes(folder).start("slurmdbd", ["slurmdbd", "-D"], env=env, ready=lambda: listens(port), patience_s=60.0)
    return _OF_CONTROLLER.format(folder=folder, port=port)


def know_cluster(folder: Path) -> None:
    """The database takes jobs of a cluster that it knows."""
    slurm = ["timeout", "20", "env", f"SLURM_CONF={folder}/slurm.conf"]
    packages.run([*slurm, "sacctmgr", "-i", "add", "cluster", "sciflow"])


def _start_mariadb(folder: Path, port: int) -> None:
    socket, data = folder / "run" / "mysql.sock", folder / "mysql"
    as_root = ["--no-defaults", "--user=root"]
    root_password = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    packages.run(["mariadb-install-db", *as_root, *root_password, f"--datadir={data}"])
    small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--innodb-lock-wait-timeout=900"]
    where = [f"--datadir={data}", f"--socket={socket}", "--bind-address=127.0.0.1", f"--port={port}"]
    argv = ["mariadbd", *as_root, *where, *small, f"--pid-file={folder}/run/mariadbd.pid"]
    client = ["mariadb", "--no-defaults", "-uroot", "-S", str(socket), "-e"]

    def answers() -> bool:
        return subprocess.run([*client, "select 1"], capture_output=True, check=False).returncode == 0

    Processes(folder).start("mariadbd", argv, ready=answers, patience_s=60.0)
    packages.run([*client, _GRANTS])
