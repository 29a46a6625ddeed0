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
    from typing import Any, Iterator

    Tree = Any

KEPT_S = 24 * 3600.0


def pack(request: Tree) -> None:
    """Write the archive to WORK_ROOT/outbox, and answer where it is and what is not there."""
    from hashlib import sha256

    root, paths = request["root"], sorted(set(request["paths"]))
    outbox = f"{request['work_root']}/outbox"
    os.makedirs(outbox, 0o700, exist_ok=True)
    _clear(outbox)
    found = [path for path in paths if os.path.lexists(within(root, path))]
    archive = f"{outbox}/{sha256(dump([root, paths]).encode()).hexdigest()}.tar"
    beside = beside_of(archive)
    try:
        with tarfile.open(beside, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in found:
                for relative in _entries(root, path):
                    _add(tar, root, relative)
        os.rename(beside, archive)
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    missing = [path for path in paths if path not in found]
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


def _add(tar: tarfile.TarFile, root: str, relative: str) -> None:
    member = tar.gettarinfo(f"{root}/{relative}", relative)
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        return  # a socket, a pipe
    if member.islnk():  # two names of one content: it comes twice
        member.type, member.linkname = tarfile.REGTYPE, ""
        member.size = os.path.getsize(f"{root}/{relative}")
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    if member.isreg():
        with open(f"{root}/{relative}", "rb") as content:
            tar.addfile(member, content)
    else:
        tar.addfile(member)
