"""Stands for `sciflow.author.suspension`."""

from __future__ import annotations

from typing import Any

from sciflow.author.active import TRACER
from sciflow.errors import SciflowError


def suspend(message: str = "", *, type: Any = None, name: str = "suspend") -> Any:  # noqa: A002, ARG001  as the original
    """None under a condition that does not hold.

    Raises:
        SciflowError: here is no run that could wait.
    """
    if TRACER.get() is None:
        raise SciflowError("suspend() waits for somebody to resume a run, and here is none: call it in a workflow")
