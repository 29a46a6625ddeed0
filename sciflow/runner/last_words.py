"""`host said`: the end of what the scripts of some elements have printed, of all that are asked for in one answer."""

from __future__ import annotations

import errno
import os
import sys

from sciflow.runner.placing import write_whole
from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

SAID_BYTES = 2000
PROBE_BYTES = 1 << 16
FULL = {errno.ENOSPC, errno.EDQUOT}
NO_ROOM = "no room is left in "


def said(request: Tree) -> None:
    """Answer with a text for each element of each batch; nothing where it has printed nothing.

    Where there is no room to write any more, which keeps elements from saying so, a last line beginning with `NO_ROOM`.
    """
    texts = [
        {str(number): end_of(f"{batch['dir']}/out/{number // batch['workers']}") for number in batch["elements"]}
        for batch in request["batches"]
    ]
    for batch, told in zip(request["batches"], texts):
        full = _no_room(batch["dir"])
        told.update({number: f"{text}\n{full}" for number, text in told.items() if full})
    sys.stdout.write(dump({"said": texts}) + "\n")


def _no_room(folder: str) -> str:
    """That there is no room for a small file in a folder; "" if there is."""
    probe = f"{folder}/probe"
    try:
        write_whole(probe, bytes(PROBE_BYTES))  # a quota that is used up still takes an empty file
        os.unlink(probe)
    except OSError as error:
        return f"{NO_ROOM}{folder}: {error.strerror}" if error.errno in FULL else ""
    return ""


def end_of(file: str) -> str:
    """The end of a file that is there, as text."""
    try:
        with open(file, "rb") as content:
            content.seek(max(0, os.fstat(content.fileno()).st_size - SAID_BYTES))
            return content.read().decode(errors="replace")
    except OSError:
        return ""
