"""How a host is reached, as `~/.ssh/config` has it: name, user, port, keys, the hosts in between.

`ssh -G` is asked, which knows Include, Match and all else; where no `ssh` is installed, paramiko reads the file.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sciflow.errors import HostRefused

MAX_HOPS = 8
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?P<host>\[[^]]+\]|[^:]+)(?::(?P<port>\d+))?/?")

Words = Mapping[str, list[str]]  # keyword in lower case -> its values


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One host on the way, and how to log in there."""

    alias: str  # as the user calls it
    goal: str  # the host to which the way leads, and the file that says so: as `ssh` and `sciflow connect` take them
    host: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    only_keys: bool = False  # of an agent's keys, none but these
    agent: str | None = None  # its socket; None: none
    command: str | None = None  # ProxyCommand: what speaks to the host in our stead
    key_alias: str | None = None  # the name under which the host's key is known
    known: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.user}@{self.host}:{self.port}"

    @property
    def known_as(self) -> str:
        """What stands for it in `known_hosts`."""
        host = self.key_alias or self.host
        return host if self.port == 22 or self.key_alias else f"[{host}]:{self.port}"


def route(
    host: str, *, user: str | None = None, port: int | None = None, config: Path | None = None
) -> tuple[Hop, ...]:
    """The hosts on the way to one, itself last.

    Raises:
        HostRefused: the configuration cannot be read, or leads in a circle.
    """
    goal = shlex.join([*(["-F", str(config)] if config else []), host])
    way = _way(host, user, port, config, 0)
    return tuple(msgspec.structs.replace(hop, goal=goal) for hop in way)


def _way(host: str, user: str | None, port: int | None, config: Path | None, depth: int) -> tuple[Hop, ...]:
    if depth >= MAX_HOPS:
        raise HostRefused(
            f"the way to {host} leads over more than {MAX_HOPS} hosts: look at ProxyJump in ~/.ssh/config"
        )
    words = _words(host, user, port, config)
    hop = _hop(host, words)
    jumps = [word for word in _first(words, "proxyjump", "none").split(",") if word and word != "none"]
    way: tuple[Hop, ...] = ()
    for number, jump in enumerate(jumps):
        match = _JUMP.fullmatch(jump.strip())
        if match is None:
            raise HostRefused(f"{host}: ProxyJump {jump!r} is no [user@]host[:port]")
        there_port = int(match["port"]) if match["port"] else None
        there = _way(match["host"].strip("[]"), match["user"], there_port, config, depth + 1)
        way += there if number == 0 else there[-1:]
    return (*way, hop)


def _words(host: str, user: str | None, port: int | None, config: Path | None) -> Words:
    if host.startswith("-"):
        raise HostRefused(f"{host!r} is no name of a host")
    argv = ["ssh", "-G", *(["-F", str(config)] if config else [])]
    argv += [*(["-l", user] if user else []), *(["-p", str(port)] if port else []), "--", host]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return _read(host, user, port, config)
    except subprocess.TimeoutExpired:
        raise HostRefused(f"{host}: `ssh -G {host}` gives no answer; look at Match exec in ~/.ssh/config") from None
    if done.returncode != 0:
        raise HostRefused(f"{host}: ssh cannot read its configuration: {done.stderr.strip()}")
    words: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        words.setdefault(keyword, []).append(value)
    return words


def _read(host: str, user: str | None, port: int | None, config: Path | None) -> Words:
    """Without an `ssh` to ask."""
    import paramiko

    named, _, bare = host.rpartition("@")
    user, host = user or named or None, bare
    path = config or Path("~/.ssh/config").expanduser()
    try:
        found = paramiko.SSHConfig.from_path(str(path)).lookup(host) if path.exists() else {}
    except (OSError, paramiko.SSHException) as error:
        raise HostRefused(f"{host}: cannot read {path}: {error}") from error
    words = {keyword: value if isinstance(value, list) else [value] for keyword, value in found.items()}
    for keyword in ("userknownhostsfile", "globalknownhostsfile"):
        words[keyword] = [" ".join(words[keyword])] if keyword in words else []
    given = {"user": user, "port": port and str(port)}
    defaults = {"hostname": [host], "port": ["22"], "user": [getpass.getuser()], "identityfile": list(_DEFAULT_KEYS)}
    return {**defaults, **words, **{keyword: [value] for keyword, value in given.items() if value}}


def _hop(alias: str, words: Words) -> Hop:
    host, port, user = (_first(words, keyword, "") for keyword in ("hostname", "port", "user"))
    tokens = {"%": "%", "d": str(Path.home()), "h": host, "n": alias, "p": port, "r": user, "u": getpass.getuser()}

    def filled(text: str) -> str:
        return re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)

    def path(text: str) -> Path:
        return Path(os.path.expandvars(filled(text.strip('"')))).expanduser()

    agent = _first(words, "identityagent", "SSH_AUTH_SOCK")
    command = _first(words, "proxycommand", "none")
    known = _first(words, "userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    known += _first(words, "globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2").split()
    return Hop(
        alias=alias,
        goal=alias,
        host=host,
        port=int(port),
        user=user,
        keys=tuple(path(text) for text in words.get("identityfile", []) if text != "none"),
        only_keys=_first(words, "identitiesonly", "no") == "yes",
        agent=os.environ.get("SSH_AUTH_SOCK")
        if agent == "SSH_AUTH_SOCK"
        else None
        if agent == "none"
        else str(path(agent)),
        command=None if command == "none" else filled(command),
        key_alias=_first(words, "hostkeyalias", "") or None,
        known=tuple(path(text) for text in known if text != "none"),
    )


def _first(words: Words, keyword: str, default: str) -> str:
    return (words.get(keyword) or [default])[0]
