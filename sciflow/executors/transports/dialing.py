"""How a connection comes about: the hosts on the way one after the other, their host keys, the logins."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from sciflow.errors import HostUnreachable, MissingExtra
from sciflow.executors.transports.connection import Connection, Heard
from sciflow.executors.transports.host_keys import HostKey, check, entries
from sciflow.executors.transports.login import Asker, Keyring, Login
from sciflow.executors.transports.ssh_config import Hop


def connect(
    hops: Sequence[Hop],
    *,
    asker: Asker | None = None,
    keyring: Keyring | None = None,
    accept: Sequence[str] = (),
    timeout_s: float = 30.0,
    keepalive_s: float = 15.0,
) -> Connection:
    """Connects and logs in, host by host; `accept`: fingerprints of host keys that are to be written down.

    Raises:
        HostUnreachable: a host on the way does not answer.
        HostRefused: a host key is not the known one, or the login is refused or needs somebody to ask.
    """
    try:
        import paramiko
    except ImportError as error:
        raise MissingExtra("paramiko", "ssh", f"reaching {hops[-1].alias} by SSH") from error
    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its threads' last words are ours to tell
    transports: list[Any] = []
    try:
        for hop in hops:
            heard = Heard(_below(hop, transports, timeout_s))
            transports.append(_transport(paramiko, hop, heard, timeout_s))
            _check_host(transports[-1], hop, accept, timeout_s)
            Login(transports[-1], hop, asker=asker, keyring=keyring or Keyring(), timeout_s=timeout_s).run()
        return Connection(
            hops[-1].name,
            transports,
            heard,
            keepalive_s=keepalive_s,
            another=lambda: connect(hops, keyring=keyring, timeout_s=timeout_s, keepalive_s=keepalive_s),
        )
    except BaseException:
        for transport in reversed(transports):
            transport.close()
        raise


def _below(hop: Hop, transports: Sequence[Any], timeout_s: float) -> Any:
    """What carries the connection: a socket, a channel of the host before, a program."""
    import paramiko

    try:
        if hop.command is not None:
            return _Program(hop.command)
        if transports:
            return transports[-1].open_channel(
                "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=timeout_s
            )
        return socket.create_connection((hop.host, hop.port), timeout_s)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: cannot be reached: {error}") from error


def _transport(paramiko: Any, hop: Hop, heard: Heard, timeout_s: float) -> Any:
    try:
        transport = paramiko.Transport(heard)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: {error}") from error
    transport.daemon = True
    transport.banner_timeout = transport.handshake_timeout = timeout_s
    known = {entry.key.kind for entry in entries(hop) if not entry.marker}
    known |= {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known else set()
    options = transport.get_security_options()
    # a host has keys of several kinds: the one that is known is asked for
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in known)
    return transport


def _check_host(transport: Any, hop: Hop, accept: Sequence[str], timeout_s: float) -> None:
    import paramiko

    try:
        transport.start_client(timeout=timeout_s)
        key = transport.get_remote_server_key()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostUnreachable(f"{hop.name}: no SSH connection: {error or 'it hung up'}") from error
    check(hop, HostKey(key.get_name(), key.asbytes()), accept=accept)


class _Program:
    """A ProxyCommand: a program whose input and output are the connection."""

    def __init__(self, line: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # the user's own line from ~/.ssh/config, which is meant for a shell
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {line}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                start_new_session=True,
            )

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
