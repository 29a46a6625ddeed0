"""Content of files and folders: hashes, and copies that are hashed on the way."""

from __future__ import annotations

import errno
import os
import stat

from sciflow.runner.failures import PlaceError
from sciflow.runner.packs import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Iterator

BLOCK_BYTES = 1 << 18
FICLONE = 0x40049409  # linux/fs.h: make this file share the blocks of that one


def file_hash(path: str) -> tuple[str, int]:
    """SHA-256 and size of a file."""
    from hashlib import sha256

    digest = sha256()
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = _copy(fd, -1, digest, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    return digest.hexdigest(), size


def is_program(path: str) -> bool:
    """Whether a file may be executed by its mode, also where the file system is mounted so that nothing may."""
    return bool(os.stat(path).st_mode & stat.S_IXUSR)


def folder_hash(path: str, *, programs: Collection[str] | None = None) -> tuple[str, int]:
    """SHA-256 of a folder's content and the size of its files together.

    Over the sorted entries: relative path, kind, whether it may be executed, the file's own hash or the link's target.
    Empty folders count; times, owners and other modes do not.

    `programs`: the files in it that may be executed, whatever their modes say: some file systems know none.
    """
    from hashlib import sha256

    digest, total = sha256(), 0
    for relative, entry in sorted(_entries(path, "")):
        if entry.is_symlink():
            fact = f"link\0{os.readlink(entry.path)}"
        elif entry.is_dir():
            fact = "folder\0"
        else:
            content, size = file_hash(entry.path)
            total += size
            executable = "x" if (is_program(entry.path) if programs is None else relative in programs) else "-"
            fact = f"file\0{executable}\0{content}"
        digest.update(f"{relative}\0{fact}\0\n".encode(errors="surrogateescape"))
    return digest.hexdigest(), total


def _entries(path: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(path) as found:
        entries = list(found)
    for entry in entries:
        relative = prefix + entry.name
        yield relative, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, relative + "/")


class Copier:
    """Copies of files and folders that share no later change with the original.

    Where the file system can, the copy shares its blocks (reflink); that is tried once per file system.
    """

    def __init__(self) -> None:
        self._cannot_clone: set[int] = set()  # devices

    def file(self, source: str, target: str, *, sha256: str | None = None) -> None:
        """Copy a file, its permission to be executed kept; `sha256` is checked while copying.

        Raises:
            PlaceError: the content is not what the hash says.
        """
        digest = _new_digest() if sha256 is not None else None
        self._file(source, target, digest)
        if digest is not None and digest.hexdigest() != sha256:
            raise _changed(source, str(sha256), digest.hexdigest())

    def hashed(self, source: str, target: str) -> tuple[str, int]:
        """Copy a file as `file` does; SHA-256 and size of the copy, whatever happens to the original meanwhile."""
        digest = _new_digest()
        size = self._file(source, target, digest)
        return digest.hexdigest(), size

    def _file(self, source: str, target: str, digest: Any) -> int:
        """Copy a file, past a digest if one is given; its size."""
        reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.fstat(reader)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            writer = os.open(target, flags, 0o755 if found.st_mode & stat.S_IXUSR else 0o644)
            try:
                if found.st_dev in self._cannot_clone or not self._clone(reader, writer, found.st_dev):
                    return _copy(reader, writer, digest, found.st_size)
                size = os.fstat(writer).st_size
                return size if digest is None else _copy(writer, -1, digest, size)
            finally:
                os.close(writer)
        finally:
            os.close(reader)

    def _clone(self, reader: int, writer: int, device: int) -> bool:
        import fcntl

        try:
            fcntl.ioctl(writer, FICLONE, reader)
        except OSError:
            self._cannot_clone.add(device)
            return False
        return True

    def folder(self, source: str, target: str, *, sha256: str | None = None) -> None:
        """Copy a folder; links inside stay links, empty folders stay.

        Raises:
            PlaceError: the content is not what the hash says.
        """
        self._tree(source, target)
        found = sha256 if sha256 is None else folder_hash(target)[0]
        if found != sha256:
            raise _changed(source, str(sha256), str(found))

    def standalone(self, source: str, target: str) -> None:
        """Copy a folder so that it stands for itself: links out of it become what they lead to.

        Raises:
            OSError: a link leads to a folder in which it lies itself.
        """
        self._tree(source, target, (os.path.realpath(source),))

    def _tree(self, source: str, target: str, inside: tuple[str, ...] = ()) -> None:
        """`inside` are the folders that are being copied, the innermost first; without them links stay as they are."""
        os.mkdir(target)
        with os.scandir(source) as found:
            entries = list(found)
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_symlink():
                self._link(entry.path, place, inside)
            elif entry.is_dir():
                self._tree(entry.path, place, inside)
            elif entry.is_file():
                self.file(entry.path, place)

    def _link(self, link: str, target: str, inside: tuple[str, ...]) -> None:
        text, real = os.readlink(link), os.path.realpath(link)
        if not inside or f"{real}/".startswith(f"{inside[0]}/") or not os.path.exists(real):
            stays = inside and os.path.isabs(text) and os.path.exists(real)
            os.symlink(os.path.relpath(real, os.path.dirname(os.path.realpath(link))) if stays else text, target)
        elif any(f"{folder}/".startswith(f"{real}/") for folder in inside):
            raise OSError(errno.ELOOP, f"the link leads to {text!r}, a folder in which it lies itself", link)
        elif os.path.isdir(real):
            self._tree(real, target, (real, *inside))
        else:
            self.file(real, target)


def _new_digest() -> Any:
    from hashlib import sha256

    return sha256()


def _changed(source: str, expected: str, found: str) -> PlaceError:
    return PlaceError(f"{source} was changed after its content was recorded: SHA-256 {expected[:12]}, now {found[:12]}")


def _copy(reader: int, writer: int, digest: Any, size: int) -> int:
    """Copy from descriptor to descriptor (to none if `writer` is -1), past a digest if one is given; bytes copied.

    `size` is what the file is said to have: it saves the read that finds the end.
    """
    done = 0
    while done < size or not size:
        # no larger than need be: Python takes the memory of a large block from the system, and gives it back
        block = os.read(reader, min(size - done, BLOCK_BYTES) if size else BLOCK_BYTES)
        if not block:
            break
        done += len(block)
        if digest is not None:
            digest.update(block)
        if writer >= 0:
            write_all(writer, block)
    return done
