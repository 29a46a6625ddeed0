"""Logging in: keys, an agent's keys, passwords, and what else a host asks (a one-time password), in OpenSSH's order.

What a user types lives in memory only, in `Keyring`, and there only what can be used again: a key that has been opened,
a password that was accepted. What a host asks for by name (keyboard-interactive) is never kept: it may hold only once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sciflow.errors import HostRefused, HostUnreachable
from sciflow.executors.transports.ssh_config import Hop

TRIES = 3  # at a password that was mistyped
ANSWER_S = 300.0  # for somebody who looks for a telephone
MANY_KEYS = 5  # a server hangs up after six


class Asker(Protocol):
    """Somebody at a terminal."""

    def __call__(self, prompt: str, *, secret: bool) -> str:
        """The answer to a question; what is secret is not shown while it is typed.

        Raises:
            HostRefused: nobody answers any more.
        """


class Keyring:
    """What was typed and can be used again, for as long as the process lives."""

    def __init__(self) -> None:
        self.keys: dict[Path, Any] = {}
        self.passwords: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Keyring({len(self.keys)} keys, {len(self.passwords)} passwords)"


class Login:
    """One login at one host."""

    def __init__(self, transport: Any, hop: Hop, *, asker: Asker | None, keyring: Keyring, timeout_s: float) -> None:
        self._transport = transport
        self._hop = hop
        self._asker = asker
        self._keyring = keyring
        self._lacking: list[str] = []  # what nobody was there to be asked for
        self._offered = 0
        transport.auth_timeout = ANSWER_S if asker else timeout_s

    def run(self) -> None:
        """Logs in.

        Raises:
            HostRefused: none of what the user has is accepted, or there is nobody to ask for the rest.
            HostUnreachable: the host has gone away meanwhile.
        """
        import paramiko

        methods: dict[str, Callable[[], list[str] | None]] = {
            "publickey": self._by_key,
            "keyboard-interactive": self._by_answers,
            "password": self._by_password,
        }
        try:
            allowed = self._methods()
            while not self._transport.is_authenticated():
                method = next((name for name in methods if name in allowed), None)
                if method is None:
                    raise HostRefused(self._refusal())
                rest = methods.pop(method)()
                allowed = allowed if rest is None else rest
        except paramiko.SSHException as error:
            self._check_alive()
            raise HostUnreachable(f"{self._hop.name}: no login: {error}") from error
        except EOFError as error:
            self._check_alive()
            raise HostUnreachable(f"{self._hop.name}: hung up during login") from error

    def _methods(self) -> list[str]:
        import paramiko

        try:
            self._transport.auth_none(self._hop.user)
        except paramiko.BadAuthenticationType as error:
            return list(error.allowed_types)
        return []

    def _check_alive(self) -> None:
        if self._offered >= MANY_KEYS and not self._transport.is_active():
            raise HostRefused(
                f"{self._hop.name}: hung up after {self._offered} keys were offered; name the right one for this host "
                f"in ~/.ssh/config: IdentityFile, and IdentitiesOnly yes"
            )

    def _refusal(self) -> str:
        if self._lacking:
            return (
                f"{self._hop.name}: login needs {' and '.join(self._lacking)}, and nobody is here to be asked: "
                f"run `sciflow connect {self._hop.goal}` in a terminal"
            )
        return f"{self._hop.name}: login refused ({self._offered} keys were offered); does `ssh {self._hop.goal}` work?"

    def _attempt(self, login: Callable[[], list[str]]) -> list[str] | None:
        """What else is asked for if it was accepted, None if it was not."""
        import paramiko

        try:
            return login()
        except paramiko.BadAuthenticationType:
            return None
        except paramiko.AuthenticationException:
            if not self._transport.is_active():
                raise
            return None

    # --- keys ------------------------------------------------------------------------------------------------------

    def _by_key(self) -> list[str] | None:
        with closing(_Agent(self._hop.agent)) as agent:
            tried: set[bytes] = set()
            for key in (*self._open_keys(), *self._agent_keys(agent)):
                rest = self._offer(key, tried)
                if rest is not None:
                    return rest
            for key in self._locked_keys(tried):
                rest = self._offer(key, tried)
                if rest is not None:
                    return rest
        return None

    def _offer(self, key: Any, tried: set[bytes]) -> list[str] | None:
        if key.asbytes() in tried:
            return None
        tried.add(key.asbytes())
        self._offered += 1
        return self._attempt(lambda: list(self._transport.auth_publickey(self._hop.user, key)))

    def _open_keys(self) -> Iterator[Any]:
        """Those that need no passphrase, or whose passphrase was given before."""
        for path in self._hop.keys:
            if path in self._keyring.keys:
                yield self._keyring.keys[path]
            elif (key := _key(path)) not in (None, LOCKED):
                yield key

    def _agent_keys(self, agent: _Agent) -> list[Any]:
        keys = agent.keys()
        named = {blob for path in self._hop.keys if (blob := _public(path))}
        mine = [key for key in keys if key.asbytes() in named]
        return mine if self._hop.only_keys else mine + [key for key in keys if key.asbytes() not in named]

    def _locked_keys(self, tried: set[bytes]) -> Iterator[Any]:
        """Those with a passphrase, which is asked for; not those that an agent has offered in vain."""
        for path in self._hop.keys:
            if path in self._keyring.keys or _key(path) is not LOCKED or _public(path) in tried:
                continue
            if self._asker is None:
                self._lacking.append(f"the passphrase of {path}")
                continue
            for _ in range(TRIES):
                key = _key(path, self._asker(f"Passphrase for {path}: ", secret=True))
                if key not in (None, LOCKED):
                    self._keyring.keys[path] = key
                    yield key
                    break

    # --- answers ---------------------------------------------------------------------------------------------------

    def _by_answers(self) -> list[str] | None:
        asker = self._asker
        if asker is None:
            self._lacking.append("an answer (password, one-time password)")
            return None

        def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
            heading = "\n".join(filter(None, (title.strip(), instructions.strip())))
            heading = f"{heading}\n" if heading else ""
            answers = []
            for prompt, shown in prompts:
                answers.append(asker(f"{heading}({self._hop.user}@{self._hop.host}) {prompt}", secret=not shown))
                heading = ""
            return answers

        for _ in range(TRIES):
            rest = self._attempt(lambda: list(self._transport.auth_interactive(self._hop.user, answer)))
            if rest is not None:
                return rest
        return None

    def _by_password(self) -> list[str] | None:
        for password in self._passwords():
            rest = self._attempt(partial(self._send_password, password))
            if rest is not None:
                self._keyring.passwords[self._hop.name] = password
                return rest
        return None

    def _passwords(self) -> Iterator[str]:
        """The one that was accepted before; then what is typed."""
        if (kept := self._keyring.passwords.pop(self._hop.name, None)) is not None:
            yield kept
        if self._asker is None:
            self._lacking.append("a password")
            return
        for _ in range(TRIES):
            yield self._asker(f"{self._hop.user}@{self._hop.host}'s password: ", secret=True)

    def _send_password(self, password: str) -> list[str]:
        return list(self._transport.auth_password(self._hop.user, password, fallback=False))


LOCKED = object()


def _key(path: Path, passphrase: str | None = None) -> Any:
    """The private key in a file; None if there is none that can be used, LOCKED if it needs another passphrase."""
    import paramiko

    locked = False
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            key = kind.from_private_key_file(str(path), passphrase)
        except paramiko.PasswordRequiredException:
            locked = True
        except (paramiko.SSHException, ValueError):  # of another kind, or the wrong passphrase
            locked = locked or passphrase is not None
        except OSError:
            return None
        else:
            certificate = Path(f"{path}-cert.pub")
            if certificate.exists():
                key.load_certificate(str(certificate))
            return key
    return LOCKED if locked else None


def _public(path: Path) -> bytes | None:
    """The public half beside a private key."""
    import base64

    with suppress(OSError, ValueError, IndexError):
        return base64.b64decode(Path(f"{path}.pub").read_text(encoding="utf-8").split()[1])
    return None


class _Agent:
    """The user's agent, if there is one that answers."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._agent: Any = None

    def keys(self) -> list[Any]:
        from paramiko import SSHException
        from paramiko.agent import AgentSSH

        if self._path is None:
            return []
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(10.0)
            connection.connect(self._path)
            self._agent = AgentSSH()
            self._agent._connect(connection)  # noqa: SLF001 - the public Agent knows $SSH_AUTH_SOCK alone, not IdentityAgent
            return list(self._agent.get_keys())
        except (OSError, SSHException):
            connection.close()
            return []

    def close(self) -> None:
        if self._agent is not None:
            self._agent._close()  # noqa: SLF001
