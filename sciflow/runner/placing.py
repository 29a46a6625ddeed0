"""Files put in their place whole or not at all, never outside of a folder."""

from __future__ import annotations

import os

from sciflow.runner.packs import write_all
from sciflow.runner.refusal import Refusal


def write_whole(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a file beside its place, and rename it."""
    beside = beside_of(path)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(fd, data)
        finally:
            os.close(fd)
        os.rename(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def beside_of(path: str) -> str:
    """A new, hidden name in the same folder."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name[:100]}.{os.urandom(6).hex()}"


def parts_of(relative: str) -> list[str]:
    """The parts of a path below a folder.

    Raises:
        Refusal: it is none.
    """
    parts = relative.split("/")
    if "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise Refusal(f"{relative!r} is no path inside a run's folder")
    return parts


def within(root: str, relative: str) -> str:
    """The place of `relative` below `root`, which may not be there.

    Raises:
        Refusal: it would lie outside, be it through a link.
    """
    parts_of(relative)
    place = f"{root}/{relative}"
    if not f"{os.path.realpath(os.path.dirname(place))}/".startswith(f"{os.path.realpath(root)}/"):
        raise Refusal(f"{relative!r} leads out of the run's folder")
    return place


def inside(root: str, relative: str) -> str:
    """The place of `relative` below `root`, with its folders made.

    Raises:
        Refusal: it would lie outside, be it through a link.
    """
    parts = parts_of(relative)
    real = os.path.realpath(root)
    folder = real
    for part in parts[:-1]:
        folder = f"{folder}/{part}"
        try:
            os.mkdir(folder)
        except FileExistsError:
            if os.path.islink(folder) and not f"{os.path.realpath(folder)}/".startswith(f"{real}/"):
                raise Refusal(f"{relative!r}: {folder} leads out of the run's folder") from None
    return f"{folder}/{parts[-1]}"
