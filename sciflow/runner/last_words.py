"""`host said`: the end of what the scripts of some elements have printed, of all that are asked for in one answer."""

from __future__ import annotations

import os
import sys

from sciflow.runner.text import dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Tree = Any

SAID_BYTES = 2000


def said(request: Tree) -> None:
    """Answer with a text for each element of each batch; nothing where it has printed nothing."""
    texts = [
        {str(number): end_of(f"{batch['dir']}/out/{number // batch['workers']}") for number in batch["elements"]}
        for batch in request["batches"]
    ]
    sys.stdout.write(dump({"said": texts}) + "\n")


def end_of(file: str) -> str:
    """The end of a file that is there, as text."""
    try:
        with open(file, "rb") as content:
            content.seek(max(0, os.fstat(content.fileno()).st_size - SAID_BYTES))
            return content.read().decode(errors="replace")
    except OSError:
        return ""
