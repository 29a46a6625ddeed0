"""A command called outside a workflow: the program is run here, in a new folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def run_here(target: object, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run the program of a command and give back what it leaves."""
    raise NotImplementedError(target, args, kwargs)
