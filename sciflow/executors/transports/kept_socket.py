"""Where the processes that keep connections listen, who may speak to them, and how: frames on a socket of one user.

A frame is one byte that says what it is, four bytes of length, and the content.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from sciflow.errors import HostRefused
from sciflow.executors.transports.link import Ended
from sciflow.executors.transports.ssh_config import Hop

_HEAD = struct.Struct(">cI")
_LONGEST_PATH = 100  # that a socket may have, with some to spare
_MAX_FRAME = 1 << 30

INPUT, INPUT_END, OUTPUT, ANSWER, READY = b"I", b"E", b"O", b"A", b"H"  # their content is bytes
ASKED, SAID = b"J", b"D"  # their content is a record


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants; one on each connection."""

    do: Literal["call", "log in", "tell", "close"]
    line: str = ""
    mark: str = ""
    timeout_s: float = 0.0
    accept: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is, and how its connection does."""

    alias: str
    name: str
    pid: int
    connected: bool
    since: float  # epoch
    idle_s: float
    idle_limit_s: float
    trouble: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; or a question to the user, after which another one comes."""

    ended: Ended | None = None
    told: Told | None = None
    question: str | None = None
    secret: bool = True
    failure: str | None = None
    kind: Literal["Unbegun", "HostUnreachable", "HostRefused", "CommandTimedOut"] = "HostUnreachable"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is started with."""

    path: Path
    hops: tuple[Hop, ...]
    idle_limit_s: float
    connect_timeout_s: float
    keepalive_s: float


def send(to: socket.socket, kind: bytes, content: bytes | msgspec.Struct) -> None:
    """One frame."""
    data = content if isinstance(content, bytes) else msgspec.json.encode(content, enc_hook=str)
    to.sendall(_HEAD.pack(kind, len(data)) + data)


def receive(source: socket.socket) -> tuple[bytes, bytes]:
    """The next frame.

    Raises:
        EOFError: the other side has gone.
    """
    kind, size = _HEAD.unpack(_exactly(source, _HEAD.size))
    if size > _MAX_FRAME:
        raise EOFError("what came is no frame")
    return kind, _exactly(source, size)


def _exactly(source: socket.socket, count: int) -> bytes:
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        got = source.recv_into(view)
        if not got:
            raise EOFError("the other side has gone")
        view = view[got:]
    return bytes(buffer)


def as_path(kind: type, value: object) -> Path:
    """For msgspec: the one type of ours that it does not know."""
    if kind is not Path:
        raise NotImplementedError
    return Path(str(value))


def of_this_user(peer: socket.socket) -> bool:
    """Whether a process of the same user is at the other end."""
    if sys.platform == "darwin":
        _, uid = struct.unpack("II", peer.getsockopt(0, 1, 8))  # LOCAL_PEERCRED
    else:
        _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(uid == os.geteuid())


def folder() -> Path:
    """Where the sockets lie: of this user alone.

    Raises:
        HostRefused: it belongs to somebody else, or others may look into it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    path = Path(runtime, "sciflow") if runtime else Path(cache, "sciflow", "connections")
    if len(str(path)) > _LONGEST_PATH - 22:
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
        path = Path(f"/tmp/sciflow-{os.geteuid()}-{digest}")  # noqa: S108 - checked below
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.lstat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise HostRefused(f"{path} must belong to you alone (mode 0700): connections are kept there")
    return path


def socket_path(hops: Sequence[Hop]) -> Path:
    """The socket for the way to a host."""
    way = "|".join(f"{hop.name} {hop.command or ''}" for hop in hops)
    return folder() / f"{hashlib.sha256(way.encode()).hexdigest()[:16]}.sock"
