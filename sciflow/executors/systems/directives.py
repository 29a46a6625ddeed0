"""What goes into a directive of a job script, and what is refused there.

A directive is a line that another program reads, each with rules of its own and none with a way to quote everything.
So text with control characters, or with characters that the system would read as more than text, is refused before
anything is submitted.
"""

from __future__ import annotations

import math
import re

from sciflow.core.graph import Resources
from sciflow.errors import ConfigError
from sciflow.executors.systems.system import Submission

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{,199}")  # as every system takes it, and lists it again
_PLAIN = re.compile(r"[^\s\"'`$\\;&|<>#,()*?\[\]{}!~]+")


def line(value: str, what: str) -> str:
    """Text that may hold spaces and quotes, on one line: further directives, as the user wrote them."""
    if _CONTROL.search(value):
        raise ConfigError(f"{what}: {value!r} has a control character or the end of a line, and becomes a directive")
    return value


def word(value: str, what: str, *, also: str = "") -> str:
    """One word without what shells and batch systems read as more than text; `also` are characters allowed here."""
    if not _PLAIN.fullmatch(value.translate({ord(character): None for character in also}) or "x"):
        raise ConfigError(
            f"{what}: {value!r} becomes a directive of a job script, and may have no space, quote, comma or sign "
            "with a meaning to a shell"
        )
    return line(value, what)


def path(value: str, *, unwritable: str) -> str:
    """An absolute path, quoted by the caller; `unwritable` are characters that the system has no way to write."""
    found = misfits(value, unwritable)
    if found or not value.startswith("/"):
        what = f"cannot hold {found} there" if found else "is not absolute"
        raise ConfigError(
            f"work_root: the folder {value!r} of a submission is named in a job script and {what}\n"
            "    fix:      set `work_root` of the executor to another folder, or to a link to this one"
        )
    return value


def misfits(path: str, unwritable: str) -> str:
    """What of a path a directive cannot hold, as people read it; "" if it holds all."""
    found = sorted({*path} & {*unwritable, *_CONTROL.findall(path)})
    return " ".join("a space" if each == " " else each if each.isprintable() else repr(each) for each in found)


def per_node(resources: Resources) -> int:
    """MPI ranks on one node, where they are spread evenly; the most that a node has otherwise."""
    return math.ceil(resources.ranks / resources.nodes)


def memory_of_node(resources: Resources) -> int:
    """MiB on one node: `memory_mb` is of one rank, as `cpus` is."""
    return resources.memory_mb * per_node(resources)


def gpus_of_node(resources: Resources) -> int:
    """GPUs on one node: `gpus` is of the whole task."""
    return math.ceil(resources.gpus / resources.nodes)


def checked(submission: Submission) -> Submission:
    """The submission; what no system can do is refused."""
    resources = submission.resources
    if submission.elements < 1:
        raise ValueError("a submission has at least one element")
    if not _NAME.fullmatch(submission.name):
        raise ValueError(f"{submission.name!r}: the queue would list it under another name, and it would not be found")
    if resources.ranks < resources.nodes:
        raise ConfigError(
            f"nodes={resources.nodes} with ranks={resources.ranks}: every node has at least one rank; ask for "
            f"ranks={resources.nodes} or more"
        )
    for extra in submission.site.extra:
        line(extra, "extra")
    return submission
