"""The way to a host: its name, its key, the login."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sciflow.errors import HostError, HostKeyRefused, HostRefused, MissingExtra
from sciflow.executors.checkup.finding import Finding, bad, ok
from sciflow.executors.checkup.visit import Visit
from sciflow.executors.transports.ssh_config import Hop, route

if TYPE_CHECKING:
    from sciflow.executors.transports.kept_socket import Told

LOGIN_S = 30.0


def way(visit: Visit) -> Iterator[Finding]:
    """Whether the host is reached; nothing to check of this machine."""
    if not visit.settings.host:
        return
    try:
        hops = route(visit.settings.host, config=_config(visit))
    except HostError as error:
        yield bad("host", str(error), "correct ~/.ssh/config")
        return
    told = " by way of ".join([hops[-1].name, *(hop.name for hop in reversed(hops[:-1]))])
    problem = _unknown(hops[0])
    if problem:
        yield bad("host", f"{told}: {problem}", _other_name(visit, hops[0]))
        return
    yield ok("host", told)
    yield from _login(hops)


def _config(visit: Visit) -> Path | None:
    return Path(visit.settings.ssh_config).expanduser() if visit.settings.ssh_config else None


def _unknown(hop: Hop) -> str:
    """Why the name means no address; of a host behind others only those can tell."""
    if hop.command is not None:
        return ""
    try:
        socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"no address for {hop.host} ({error.strerror})"
    return ""


def _other_name(visit: Visit, hop: Hop) -> str:
    config = visit.settings.ssh_config or "~/.ssh/config"
    return (
        f"is this machine on the network (VPN)? `host` in {visit.table} is what you type after ssh; "
        f"{config} says for it: HostName {hop.host}"
    )


def _login(hops: Sequence[Hop]) -> Iterator[Finding]:
    from sciflow.executors.transports.dialing import connect
    from sciflow.executors.transports.kept_connection import find

    kept = find(hops)
    if kept is not None:
        yield _of_kept(kept.tell(), hops[-1])
        return
    begin = time.monotonic()
    try:
        connect(hops, timeout_s=LOGIN_S).close()
    except HostKeyRefused as error:
        found, _, fix = str(error).partition("\n")
        yield bad("host key", found, fix)
    except HostRefused as error:
        call = f"sciflow connect {hops[-1].goal}"
        yield bad("login", str(error), "" if call in str(error) else f"in a terminal: {call}")
    except MissingExtra as error:
        yield bad("ssh", str(error))
    except HostError as error:
        fix = f"does `ssh {hops[-1].goal}` work? Is a VPN needed, or does a firewall keep port {hops[-1].port}?"
        yield bad("connection", str(error), fix)
    else:
        yield ok("host key", "the known one")
        yield ok("login", f"by key, nobody is asked, {time.monotonic() - begin:.1f} s")


def _of_kept(told: Told, hop: Hop) -> Finding:
    if told.connected:
        return ok("login", "by the connection that `sciflow connect` keeps")
    why = f": {told.trouble}" if told.trouble else ""
    found = f"the connection that `sciflow connect` kept is broken{why}"
    return bad("login", found, f"in a terminal: sciflow connect {hop.goal}")
