"""An OpenSSH server on loopback with keys of its own, for whoever runs the tests; and a client's configuration for it.

Nothing of this user's `~/.ssh` is read or written.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.services import packages
from tests.services.processes import Processes, free_ports

PROGRAM = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "sshd"

# bash reads no ~/.bashrc of whoever runs the tests, if it believes to be started by another shell
QUIET = {"SHLVL": "2"}


@dataclass(frozen=True)
class Sshd:
    """A server that answers; `host` is its name in the client's configuration `config`."""

    folder: Path
    port: int
    host: str = "cluster"

    @property
    def config(self) -> Path:
        return self.folder / "client_config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def key(self) -> Path:
        """The private key that logs in."""
        return self.folder / "id_ed25519"

    @property
    def user(self) -> str:
        return getpass.getuser()

    @property
    def fingerprint(self) -> str:
        """Of its host key."""
        blob = base64.b64decode((self.folder / "host_key.pub").read_text("utf-8").split()[1])
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    def entry(self, host: str | None = None, *, port: int | None = None, more: Sequence[str] = ()) -> str:
        """The lines of a client's configuration for this server, perhaps under another name or by another port."""
        lines = [
            "HostName 127.0.0.1",
            f"Port {port or self.port}",
            f"User {self.user}",
            f"IdentityFile {self.key}",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile none",
            f"HostKeyAlias {self.host}",
            *more,
        ]
        return f"Host {host or self.host}\n" + "".join(f"    {line}\n" for line in lines)

    def start(self) -> None:
        """Starts it again, as it was."""
        argv = [PROGRAM, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        Processes(self.folder).start("sshd", argv, ready=self.answers)

    def answers(self) -> bool:
        with socket.socket() as client:
            client.settimeout(1.0)
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Ends it and every session that it has, at once, as when the machine goes down."""
        for act in (psutil.Process.suspend, psutil.Process.kill):
            for process in self.processes():
                with suppress(psutil.NoSuchProcess):  # a session that is just over
                    act(process)
        Processes(self.folder).end("sshd")

    def processes(self) -> list[psutil.Process]:
        """The server and the processes of its sessions; not the programs that users run."""
        identity = Processes(self.folder).get("sshd")
        if identity is None or not identity.alive:
            return []
        server = psutil.Process(identity.pid)
        return [server, *filter(_is_session, server.children(recursive=True))]

    def freeze(self) -> None:
        """It says nothing any more, and keeps its connections."""
        for process in self.processes():
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self.processes():
            process.send_signal(signal.SIGCONT)


def _is_session(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("sshd")
    except psutil.NoSuchProcess:  # it is just over
        return False


@dataclass(frozen=True)
class SshdService:
    """`options`: lines of `sshd_config`; `env`: what sessions find in their environment."""

    name: str = "sshd"
    what: str = "OpenSSH server"
    options: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    sftp: bool = True
    port: int | None = None

    def missing(self) -> str:
        if shutil.which(PROGRAM) is None:
            return packages.no_packages("openssh-server") or "no sshd to be found"
        return ""

    def install(self) -> None:
        packages.apt("openssh-server")

    def start(self, folder: Path) -> Sshd:
        folder.chmod(0o700)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd of root wants it
        for name in ("host_key", "id_ed25519"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
            subprocess.run(argv, check=True)
        shutil.copyfile(folder / "id_ed25519.pub", folder / "authorized_keys")
        server = Sshd(folder, self.port or free_ports(1)[0])
        kind, key = (folder / "host_key.pub").read_text("utf-8").split()[:2]
        server.known_hosts.write_text(f"{server.host} {kind} {key}\n", "utf-8")
        server.config.write_text(server.entry(), "utf-8")
        (folder / "sshd_config").write_text("\n".join(self._configuration(server)) + "\n", "utf-8")
        server.start()
        return server

    def stop(self, folder: Path) -> None:
        Sshd(folder, 0).stop()

    def _configuration(self, server: Sshd) -> list[str]:
        folder = server.folder
        return [
            *self.options,  # the first of a kind counts
            f"Port {server.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder / 'host_key'}",
            f"AuthorizedKeysFile {folder / 'authorized_keys'}",
            f"PidFile {folder / 'sshd.pid'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 100",
            *(["Subsystem sftp internal-sftp"] if self.sftp else []),
            f"SetEnv {' '.join(f'{name}={value}' for name, value in {**QUIET, **self.env}.items())}",
        ]
