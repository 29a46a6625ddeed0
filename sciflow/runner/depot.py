"""`host missing`: which files and code this machine lacks; those that it has are linked into the run.

WORK_ROOT/blobs/<sha256>       contents of files, sent once
WORK_ROOT/code/<sha256>.zip    the runner; code/<sha256>/ a bundle of the user's modules
WORK_ROOT/runs/<run id>/       a run's root
"""

from __future__ import annotations

import errno
import os
import string
import sys

from sciflow.runner.likeness import make_likeness
from sciflow.runner.placing import beside_of, inside
from sciflow.runner.refusal import Refusal
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    Tree = Any

NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP})
PRIVATE = 0o700


class Depot:
    """The folder of this user's runs on this machine, and one run in it."""

    def __init__(self, request: Tree) -> None:
        """`root` is the run's; `work_root` is two folders up from it where it is not told."""
        self.root: str = os.path.normpath(request["root"])
        self.work_root: str = os.path.normpath(request.get("work_root") or os.path.dirname(os.path.dirname(self.root)))
        if not os.path.isabs(self.work_root) or not os.path.isabs(self.root):
            raise Refusal(f"{self.root} and {self.work_root} must be absolute")
        for folder in (self.work_root, f"{self.work_root}/blobs", f"{self.work_root}/code", self.root):
            os.makedirs(folder, PRIVATE, exist_ok=True)

    def blob(self, sha256: str) -> str:
        """The place of a content."""
        return f"{self.work_root}/blobs/{checked(sha256)}"

    def code(self, sha256: str) -> str:
        """The place of a bundle."""
        return f"{self.work_root}/code/{checked(sha256)}"

    def link(self, sha256: str, relative: str, *, executable: bool) -> None:
        """Give a content its place in the run.

        One that may be executed is a copy: the permission belongs to the content, not to the name.
        """
        source, target = self.blob(sha256), inside(self.root, relative)
        if _same(source, target, executable=executable):
            return
        beside = beside_of(target)
        try:
            if executable:
                _copy(source, beside, 0o755)
            else:
                _link_or_copy(source, beside)
            os.rename(beside, target)  # of two names of one file, this leaves both
        finally:
            if os.path.lexists(beside):
                os.unlink(beside)


def checked(sha256: str) -> str:
    """A name that is a hash, and so no path.

    Raises:
        Refusal: it is not.
    """
    if len(sha256) != 64 or not set(sha256) <= set(string.hexdigits):
        raise Refusal(f"{sha256!r} is no SHA-256")
    return sha256


def _same(source: str, target: str, *, executable: bool) -> bool:
    try:
        return not executable and not os.path.islink(target) and os.path.samefile(source, target)
    except FileNotFoundError:
        return False


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _copy(source, target, 0o644)


def _copy(source: str, target: str, mode: int) -> None:
    import shutil

    shutil.copyfile(source, target)
    os.chmod(target, mode)


def make_executable(path: str) -> None:
    """Let a file of a run be executed, and no other with the same content."""
    if os.path.islink(path) or os.stat(path).st_mode & 0o100:
        return
    beside = beside_of(path)
    _copy(path, beside, 0o755)
    os.rename(beside, path)


def missing(request: Tree) -> None:
    """Answer with the names of what has to be sent."""
    make_likeness()
    depot = Depot(request)
    executable = frozenset(request.get("executable", ()))
    blobs = [sha256 for sha256, paths in request.get("blobs", {}).items() if not _has(depot, sha256, paths, executable)]
    code = [name for name in request.get("code", ()) if not _touch(depot.code(name))]
    sys.stdout.write(dump({"blobs": blobs, "code": code}) + "\n")


def _has(depot: Depot, sha256: str, paths: Sequence[str], executable: frozenset[str]) -> bool:
    """Whether a content is here; if so, it is linked to its places."""
    if not _touch(depot.blob(sha256)):
        return False
    for path in paths:
        depot.link(sha256, path, executable=path in executable)
    return True


def _touch(path: str) -> bool:
    """Whether something is there; it is used now, and so not to be cleaned away."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
