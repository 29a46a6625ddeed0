"""The keys by which hosts are known: `known_hosts` files, read as OpenSSH reads them. A key is never added unasked."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sciflow.errors import HostKeyRefused, HostRefused
from sciflow.executors.transports.ssh_config import Hop


class HostKey(NamedTuple):
    """A host's public key: the name of its kind, and the key itself."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As OpenSSH shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


class Entry(NamedTuple):
    """One line of a file that is about this host."""

    file: Path
    line: int
    marker: str  # "", "@revoked" or "@cert-authority"
    key: HostKey


def entries(hop: Hop) -> list[Entry]:
    """What the files know of a host."""
    return [entry for file in hop.known for entry in _about(hop.known_as, file)]


def check(hop: Hop, key: HostKey, *, accept: Sequence[str] = ()) -> None:
    """Whether a host is who it says; a key whose fingerprint is among `accept` is written down.

    Raises:
        HostKeyRefused: the key is unknown, another one than before, or revoked.
    """
    found = entries(hop)
    if any(entry.marker == "@revoked" and entry.key == key for entry in found):
        raise HostKeyRefused(f"{hop.name}: its host key {key.fingerprint} is marked as revoked in known_hosts")
    known = [entry for entry in found if not entry.marker]
    if any(entry.key == key for entry in known):
        return
    if key.fingerprint in accept:
        _write(hop, key, [entry for entry in known if entry.key.kind == key.kind])
        return
    same = [entry for entry in known if entry.key.kind == key.kind] or known
    raise HostKeyRefused(_changed(hop, key, same[0]) if same else _unknown(hop, key))


def _unknown(hop: Hop, key: HostKey) -> str:
    return (
        f"{hop.name}: its host key is not known. It shows a {key.kind} key with the fingerprint\n"
        f"    {key.fingerprint}\n"
        f"If the people who run the host publish the same one, accept it with\n"
        f"    sciflow connect {hop.goal} --accept-host-key {key.fingerprint}"
    )


def _changed(hop: Hop, key: HostKey, entry: Entry) -> str:
    return (
        f"{hop.name}: ITS HOST KEY HAS CHANGED. Somebody may be listening in, or the host was installed anew.\n"
        f"    known: {entry.key.kind} {entry.key.fingerprint} ({entry.file}, line {entry.line})\n"
        f"    shown: {key.kind} {key.fingerprint}\n"
        f"Ask the people who run it. Only if they confirm the new key, replace the old one with\n"
        f"    sciflow connect {hop.goal} --accept-host-key {key.fingerprint}"
    )


def _about(name: str, file: Path) -> Iterator[Entry]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostRefused(f"cannot read the known host keys in {file}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or not _names(name, words[0]):
            continue
        try:
            yield Entry(file, number, marker, HostKey(words[1], base64.b64decode(words[2])))
        except ValueError:
            continue


def _names(name: str, patterns: str) -> bool:
    """Whether the first field of a line speaks of this host."""
    if patterns.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in patterns[3:].split("|"))
        except ValueError:
            return False
        return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
    found = False
    for pattern in patterns.lower().split(","):
        # brackets belong to the name here, as in [host]:2222
        if fnmatch.fnmatchcase(name.lower(), pattern.lstrip("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _write(hop: Hop, key: HostKey, old: Sequence[Entry]) -> None:
    """Writes a key into the user's own file, in place of those of the same kind."""
    if not hop.known:
        raise HostRefused(f"{hop.name}: UserKnownHostsFile names no file to write its key to")
    file = hop.known[0]
    gone = {entry.line for entry in old if entry.file == file}
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        kept = [line for number, line in enumerate(lines, 1) if number not in gone]
        kept.append(f"{hop.known_as} {key.kind} {base64.b64encode(key.blob).decode()}")
        descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=".known_hosts-")  # mode 0600
        with open(descriptor, "w", encoding="utf-8") as new:
            new.write("\n".join(kept) + "\n")
        os.replace(part, file.resolve())
    except OSError as error:
        raise HostRefused(f"{hop.name}: cannot write its key to {file}: {error.strerror}") from error
