"""`host VERB [WORK_ROOT]`: what the engine asks of a machine; JSON on standard input, JSON and bytes on the output.

Nothing here waits longer than it is told to. What goes wrong is one line on standard error and an exit code, see
`exit_codes`.
"""

from __future__ import annotations

import importlib
import sys

from sciflow.runner.exit_codes import BAD_REQUEST, CANNOT_WRITE
from sciflow.runner.refusal import Refusal
from sciflow.runner.text import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping

VERBS: Mapping[str, tuple[str, str]] = {  # verb -> module, function of it; it takes the request and gives the exit code
    "survey": ("survey", "survey"),
    "missing": ("depot", "missing"),
    "unpack": ("unpacking", "unpack"),
    "submit": ("submission", "submit"),
    "pack": ("packing", "pack"),
    "said": ("last_words", "said"),
    "facts": ("facts", "facts"),
    "clean": ("cleaning", "clean"),
}


def main(verb: str, work_root: str | None = None) -> int:
    """Do what is asked; the exit code."""
    if verb not in VERBS:
        sys.stderr.write(f"sciflow: no command {verb!r}; there are {', '.join(VERBS)}\n")
        return BAD_REQUEST
    module, function = VERBS[verb]
    try:
        request = parse(sys.stdin.buffer.readline().decode())  # `unpack` reads on from there
        if work_root is not None:
            request["work_root"] = work_root
        getattr(importlib.import_module(f"sciflow.runner.{module}"), function)(request)
        sys.stdout.flush()
    except Refusal as refusal:
        sys.stderr.write(f"sciflow: {refusal}\n")
        return refusal.code
    except (KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"sciflow: the request cannot be understood: {type(error).__name__}: {error}\n")
        return BAD_REQUEST
    except OSError as error:
        sys.stderr.write(f"sciflow: {error}\n")
        return CANNOT_WRITE
    return 0
