"""`host pack`: files and folders of a run in one archive, for the engine to fetch.

The archive is the same for the same content: nothing of times or owners is in it.
"""

from __future__ import annotations

import os
import sys
import tarfile
import time

from sciflow.runner.placing import beside_of, within
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Iterator, Optional

    Tree = Any

KEPT_S = 24 * 3600.0


def pack(request: Tree) -> None:
    """Write the archive to WORK_ROOT/outbox, and answer where it is, and of what is not in it why."""
    from hashlib import sha256

    root, paths = request["root"], sorted(set(request["paths"]))
    outbox = f"{request['work_root']}/outbox"
    os.makedirs(outbox, 0o700, exist_ok=True)
    _clear(outbox)
    missing: dict[str, str] = {}
    archive = f"{outbox}/{sha256(dump([root, paths]).encode()).hexdigest()}.tar"
    beside = beside_of(archive)
    try:
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in paths:
                problem = _add_all(tar, root, path)
                if problem:
                    missing[path] = problem
        os.rename(beside, archive)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    sys.stdout.write(dump({"archive": archive, "size": os.path.getsize(archive), "missing": missing}) + "\n")


def _clear(outbox: str) -> None:
    """Remove what nobody has fetched for a day."""
    for entry in os.scandir(outbox):
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > KEPT_S:
            os.unlink(entry.path)


def _entries(root: str, path: str) -> Iterator[str]:
    """A file, or a folder and all that is in it, sorted."""
    yield path
    place = f"{root}/{path}"
    if os.path.isdir(place) and not os.path.islink(place):
        for name in sorted(os.listdir(place)):
            yield from _entries(root, f"{path}/{name}")


def _add_all(tar: tarfile.TarFile, root: str, path: str) -> str:
    """Take a file or folder in; why not all of it, if so: what is in the archive of it by then is of no use."""
    within(root, path)
    members = _members(tar, root, path)
    while True:
        try:
            found = next(members, None)
        except OSError as error:  # what is there is not to be had; a full disk is heard of by the next line
            return error.strerror or str(error)
        if found is None:
            return ""
        member, content = found
        if content is None:
            tar.addfile(member)
        else:
            with content:
                tar.addfile(member, content)


def _members(tar: tarfile.TarFile, root: str, path: str) -> Iterator[tuple[tarfile.TarInfo, Optional[BinaryIO]]]:
    for relative in _entries(root, path):
        member = _member(tar, root, relative)
        if member is not None:
            yield member, open(f"{root}/{relative}", "rb") if member.isreg() else None  # noqa: SIM115  see `_add_all`


def _member(tar: tarfile.TarFile, root: str, relative: str) -> Optional[tarfile.TarInfo]:
    member = tar.gettarinfo(f"{root}/{relative}", relative)
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return None  # a socket, a pipe
    if member.islnk():  # two names of one content: it comes twice
        member.type, member.linkname = tarfile.REGTYPE, ""
        member.size = os.path.getsize(f"{root}/{relative}")
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member
