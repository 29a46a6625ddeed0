"""Moving what an op has made to where it is kept, so that it stands for itself there."""

from __future__ import annotations

import errno
import os
import stat

from sciflow.runner.failures import OpError
from sciflow.runner.hashing import Copier
from sciflow.runner.removal import remove
from sciflow.runner.selection import Selection


def worth_keeping(place: str, scratch: str) -> bool:
    """Whether something left over is to be kept: a link into the scratch folder, a pipe or a socket is not."""
    mode = os.lstat(place).st_mode
    if stat.S_ISLNK(mode):
        return not os.path.realpath(place).startswith(f"{scratch}/in/")
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def move(place: str, target: str, selection: Selection) -> None:
    """Move an output, so that it stands for itself: links that lead out of it become what they lead to.

    Raises:
        OpError: it holds something that is neither file, folder nor link.
    """
    mode = os.lstat(place).st_mode
    if stat.S_ISREG(mode):
        rename(place, target)
    elif stat.S_ISDIR(mode):
        selection.purge(place)
        settle(place, os.path.realpath(place))
        rename(place, target)
    elif stat.S_ISLNK(mode):
        real = os.path.realpath(place)
        _copy(real, target)
        os.unlink(place)
    else:
        raise OpError(f"output {os.path.basename(place)!r} is neither a file nor a folder")


def settle(folder: str, inside: str) -> None:
    """Make a folder movable: links that stay in `inside` relative, links out of it copies, nothing special.

    Raises:
        OpError: a link leads nowhere, or there is a pipe, socket or device.
    """
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_symlink():
            _settle_link(entry.path, inside)
        elif entry.is_dir():
            settle(entry.path, inside)
        elif not entry.is_file():
            raise OpError(f"output folder holds {entry.name!r}, which is neither a file nor a folder")


def _settle_link(link: str, inside: str) -> None:
    text = os.readlink(link)
    real = os.path.realpath(link)
    if f"{real}/".startswith(f"{inside}/"):
        if os.path.isabs(text):
            os.unlink(link)
            os.symlink(os.path.relpath(real, os.path.dirname(os.path.realpath(link))), link)
        return
    if not os.path.exists(real):
        raise OpError(
            f"output folder holds the link {os.path.basename(link)!r}, which leads to {text!r}, where nothing is"
        )
    if f"{inside}/".startswith(f"{real}/"):
        raise OpError(
            f"output folder holds the link {os.path.basename(link)!r}, which leads to {text!r}, a folder in which it "
            "lies itself"
        )
    os.unlink(link)
    (Copier().standalone if os.path.isdir(real) else Copier().file)(real, link)


def rename(place: str, target: str) -> None:
    """Move something as it is, to another file system too."""
    try:
        os.rename(place, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if os.path.islink(place):
            os.symlink(os.readlink(place), target)
        else:
            _copy(place, target)
        remove(place)


def _copy(place: str, target: str) -> None:
    (Copier().folder if os.path.isdir(place) else Copier().file)(place, target)
