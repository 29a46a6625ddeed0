"""`host facts`: what there is to know of this machine and of the folder for runs on it."""

from __future__ import annotations

import os
import platform
import sys
import time

from sciflow.runner.file_lock import takes_locks
from sciflow.runner.placing import write_whole
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any


def facts(request: Tree) -> None:
    """Answer with them; what cannot be found out is null."""
    work_root = request["work_root"]
    problem = _write_problem(work_root)
    space = os.statvfs(work_root if os.path.isdir(work_root) else "/")
    told = {
        "python": list(sys.version_info[:3]),
        "executable": sys.executable,
        "host": os.uname().nodename,
        "system": platform.platform(),
        "user": _user(),
        "clock": time.time(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": _memory_mb(),
        "work_root": work_root,
        "writable": not problem,
        "problem": problem,
        "free_bytes": space.f_bavail * space.f_frsize,
        "free_files": space.f_favail if space.f_files else None,
        "links": _takes_links(work_root) if not problem else None,
        "locks": takes_locks(work_root) if not problem else None,
    }
    sys.stdout.write(dump(told) + "\n")


def _write_problem(folder: str) -> str:
    probe = f"{folder}/.probe-{os.getpid()}"
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        write_whole(probe, bytes(1 << 16))  # a quota that is used up still takes an empty file
        os.unlink(probe)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return ""


def _takes_links(folder: str) -> bool:
    probe = f"{folder}/.probe-{os.getpid()}"
    try:
        write_whole(probe, b"")
        os.link(probe, f"{probe}-2")
        os.unlink(f"{probe}-2")
    except OSError:
        return False
    finally:
        os.unlink(probe)
    return True


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # a container whose users have no names
        return str(os.getuid())


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    except (ValueError, OSError):
        return None
