"""`host unpack`: files from the engine, each put in its place whole and checked, nothing outside of the depot.

A header line, then a tar stream with members `blobs/<sha256>`, `code/<sha256>.tar` (a bundle, to be unpacked as
`code/<sha256>/`) and `batches/<name>/<file>`. A batch appears when the stream was whole to its end.
"""

from __future__ import annotations

import os
import sys
import tarfile

from sciflow.runner.depot import Depot, checked, make_executable
from sciflow.runner.packs import write_all
from sciflow.runner.placing import beside_of, inside
from sciflow.runner.refusal import Refusal
from sciflow.runner.removal import remove
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    Tree = Any

BLOCK_BYTES = 1 << 20
END = bytes(1024)  # of a tar stream


class Tail:
    """A stream whose last bytes are remembered: tarfile does not tell an end from a break between two members."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int) -> bytes:
        """Read on."""
        data = self._stream.read(size)
        self.last = (self.last + data)[-len(END) :]
        return data


class Unpacking:
    """What has come so far of one stream."""

    def __init__(self, header: Tree) -> None:
        self._depot = Depot(header)
        self._header = header
        self._batches: dict[str, str] = {}  # name -> hidden folder
        self._came: dict[str, list[str]] = {"blobs": [], "code": []}
        self._members = 0

    def take(self, stream: IO[bytes]) -> Tree:
        """Take all of the stream; what has come.

        Raises:
            Refusal: it is torn, or holds what it must not.
        """
        tail: Any = Tail(stream)
        try:
            with tarfile.open(fileobj=tail, mode="r|") as tar:
                for member in tar:
                    self._take(tar, member)
            while tail.read(BLOCK_BYTES):
                pass
            if tail.last != END:
                raise Refusal(f"the stream is torn: it ends after {self._members} files")
            self._link()
            return {**self._came, "batches": [self._reveal(name) for name in self._batches]}
        except tarfile.TarError as error:
            raise Refusal(f"the stream is torn: {error}") from error
        finally:
            for folder in self._batches.values():
                remove(folder)

    def _take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        file = tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise Refusal(f"{member.name!r} is no file")
        self._members += 1
        kind, _, name = member.name.partition("/")
        if kind == "blobs":
            self._whole(file, self._depot.blob(name), name, 0o444)
        elif kind == "code" and name.endswith(".tar"):
            self._bundle(file, name[: -len(".tar")])
        elif kind == "batches":
            self._batch_file(file, name)
        else:
            raise Refusal(f"{member.name!r} has no place here")
        if kind in self._came:
            self._came[kind].append(name)

    def _whole(self, file: IO[bytes], place: str, sha256: str, mode: int) -> None:
        """Put a file in its place, if its content is what its name says."""
        beside = beside_of(place)
        try:
            found = _write(file, beside, mode)
            if found != checked(sha256):
                raise Refusal(f"{os.path.basename(place)} has come with a content of SHA-256 {found}")
            os.rename(beside, place)
        finally:
            if os.path.lexists(beside):
                os.unlink(beside)

    def _bundle(self, file: IO[bytes], sha256: str) -> None:
        place = self._depot.code(sha256)
        packed, folder = beside_of(place), beside_of(place)
        self._whole(file, f"{packed}.tar", sha256, 0o600)
        try:
            os.mkdir(folder)
            with tarfile.open(f"{packed}.tar") as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isreg() else None
                    if content is None:
                        raise Refusal(f"bundle {sha256}: {member.name!r} is no file")
                    _write(content, inside(folder, member.name), 0o755 if member.mode & 0o100 else 0o644)
            if not os.path.isdir(place):
                os.rename(folder, place)
        finally:
            os.unlink(f"{packed}.tar")
            remove(folder)

    def _batch_file(self, file: IO[bytes], path: str) -> None:
        name, _, rest = path.partition("/")
        if name in ("", ".", "..") or not rest:
            raise Refusal(f"'batches/{path}' is no file of a batch")
        if name not in self._batches:
            folder = beside_of(inside(self._depot.root, f"batches/{name}"))
            os.mkdir(folder)
            self._batches[name] = folder
        _write(file, inside(self._batches[name], rest), 0o644)

    def _link(self) -> None:
        executable = frozenset(self._header.get("executable", ()))
        for folder in self._header.get("folders", ()):
            os.makedirs(inside(self._depot.root, folder), exist_ok=True)
        linked: set[str] = set()
        for sha256, paths in self._header.get("links", {}).items():
            for path in paths:
                self._depot.link(sha256, path, executable=path in executable)
                linked.add(path)
        for path in executable - linked:  # their contents were here already
            make_executable(inside(self._depot.root, path))
        for path, text in self._header.get("symlinks", {}).items():
            self._symlink(path, text)

    def _symlink(self, path: str, text: str) -> None:
        """Make a link, which may say anything: nothing is ever written through it."""
        place = inside(self._depot.root, path)
        beside = beside_of(place)
        os.symlink(text, beside)
        os.rename(beside, place)

    def _reveal(self, name: str) -> str:
        """Give a batch its place; one that is there already stays: it may have been submitted."""
        place = inside(self._depot.root, f"batches/{name}")
        if not os.path.isdir(place):
            os.rename(self._batches[name], place)
        return name


def _write(file: IO[bytes], path: str, mode: int) -> str:
    """Write a new file; SHA-256 of its content."""
    from hashlib import sha256

    digest = sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        while True:
            block = file.read(BLOCK_BYTES)
            if not block:
                return digest.hexdigest()
            digest.update(block)
            write_all(fd, block)
    finally:
        os.close(fd)


def unpack(header: Tree) -> None:
    """Take files in, and answer with the names of what has come."""
    sys.stdout.write(dump({"ok": True, **Unpacking(header).take(sys.stdin.buffer)}) + "\n")
