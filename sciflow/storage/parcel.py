"""Files and folders as one stretch of bytes each: what a store of objects keeps under a key.

A file is its content. A folder is a tar archive of its entries in order, whose headers are the index, so that
thousands of small files are one object that any tar reads. Nothing is copied to make one: it is put together while it
is read.
"""

from __future__ import annotations

import errno
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from sciflow.runner.failures import PlaceError
from sciflow.runner.hashing import Copier, file_hash, folder_hash

BLOCK_BYTES = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)

Facts: TypeAlias = tuple[int, int, int]  # inode, size, time of the last change, ns: equal if nobody wrote meanwhile


class Content(msgspec.Struct, frozen=True):
    """A file's content as part of a parcel."""

    path: str
    facts: Facts


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder, to be read as one stretch of `length` bytes."""

    kind: Literal["file", "folder"]
    sha256: str  # see `storage.Stored`
    size: int
    executable: bool = False
    segments: tuple[bytes | Content, ...]
    length: int


@contextmanager
def parcel_of(source: Path) -> Iterator[Parcel]:
    """The parcel of a file or folder, which must stay as it is meanwhile.

    Raises:
        OSError: it cannot be read.
    """
    if not source.is_dir():
        facts = _facts(os.stat(source))
        sha256, size = file_hash(str(source))
        executable = os.access(source, os.X_OK)
        content = (Content(str(source), facts),)
        yield Parcel(kind="file", sha256=sha256, size=size, executable=executable, segments=content, length=size)
    elif any(entry.is_symlink() for _, entry in _walk(str(source), "")):
        with tempfile.TemporaryDirectory(prefix="sciflow-") as beside:  # links may lead out of it
            Copier().standalone(str(source), f"{beside}/folder")
            yield _folder(f"{beside}/folder")
    else:
        yield _folder(str(source))


def _folder(folder: str) -> Parcel:
    segments = tuple(_segments(folder))
    length = sum(len(part) if isinstance(part, bytes) else part.facts[1] for part in segments)
    sha256, size = folder_hash(folder)
    return Parcel(kind="folder", sha256=sha256, size=size, segments=segments, length=length)


def _segments(folder: str) -> Iterator[bytes | Content]:
    """Headers, padding and contents; what is no content is joined as far as it goes."""
    text = b""
    for relative, entry in _walk(folder, ""):
        info = tarfile.TarInfo(relative)
        if entry.is_symlink():
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.path)
        elif entry.is_dir():
            info.type, info.mode = tarfile.DIRTYPE, 0o755
        else:
            found = entry.stat()
            info.size, info.mode = found.st_size, 0o755 if found.st_mode & 0o100 else 0o644
        text += info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.size:
            yield text
            yield Content(entry.path, _facts(found))
            text = bytes(-info.size % tarfile.BLOCKSIZE)
    yield text + END


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files, links and folders below a folder; sockets and the like belong to no content."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_symlink() or entry.is_dir() or entry.is_file():
            yield prefix + entry.name, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{prefix}{entry.name}/")


def _facts(found: os.stat_result) -> Facts:
    return found.st_ino, found.st_size, found.st_mtime_ns


class ParcelReader:
    """Reads a parcel from its beginning to its end, once."""

    def __init__(self, parcel: Parcel) -> None:
        self._segments = iter(parcel.segments)
        self._text = memoryview(b"")
        self._content: Content | None = None
        self._fd = -1
        self._left = 0

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end.

        Raises:
            OSError: a file cannot be read, or has changed since its hash was taken.
        """
        pieces, wanted = [], size
        while wanted and (piece := self._piece(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, most: int) -> bytes | memoryview:
        while not self._text and not self._left:
            self.close()
            match next(self._segments, None):
                case None:
                    return b""
                case bytes() as text:
                    self._text = memoryview(text)
                case content:
                    self._open(content)
        if self._text:
            piece, self._text = self._text[:most], self._text[most:]
            return piece
        return self._of_file(most)

    def _open(self, content: Content) -> None:
        self._content, self._left = content, content.facts[1]
        self._fd = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)

    def _of_file(self, most: int) -> bytes:
        assert self._content is not None
        block = os.read(self._fd, min(most, self._left))
        self._left -= len(block)
        if not block or (not self._left and _facts(os.fstat(self._fd)) != self._content.facts):
            raise OSError(errno.EBUSY, "it was changed while it was being stored", self._content.path)
        return block

    def close(self) -> None:
        """Gives the file back that is open."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def unpack(archive: str, folder: str) -> None:
    """Makes the new folder `folder` of an archive; nothing is written outside of it.

    Links are made last, so that nothing is written through one.

    Raises:
        PlaceError: the archive is damaged, or holds what no folder of ours can.
        OSError: there is no room.
    """
    links: list[tuple[str, str]] = []
    os.mkdir(folder)
    fd = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with tarfile.open(archive, "r:", errors="surrogateescape") as tar:
            for member in tar:
                place = f"{folder}/{_inside(member.name)}"
                if member.issym():
                    links.append((member.linkname, place))
                elif member.isdir():
                    os.mkdir(place)
                elif member.isreg():
                    _extract(fd, member, place)
                else:
                    raise PlaceError(f"{member.name}: an entry of kind {member.type!r} in an archive of ours")
    except (tarfile.TarError, FileExistsError, FileNotFoundError) as error:
        raise PlaceError(f"the archive is damaged: {error}") from error
    finally:
        os.close(fd)
    for text, place in links:
        os.symlink(text, place)


def _inside(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise PlaceError(f"an archive of ours has no entry {name!r}, which leads out of its folder")
    return name


def _extract(archive: int, member: tarfile.TarInfo, place: str) -> None:
    writer = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, member.mode & 0o755)
    try:
        at, end = member.offset_data, member.offset_data + member.size
        while at < end:
            block = os.pread(archive, min(BLOCK_BYTES, end - at), at)
            if not block:
                raise PlaceError(f"the archive is damaged: it ends within {member.name}")
            at += os.write(writer, block)
    finally:
        os.close(writer)
