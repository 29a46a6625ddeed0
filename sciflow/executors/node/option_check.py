"""Stands for `sciflow.author.option_check`: what the engine's machine has accepted is not checked again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from sciflow.errors import InvalidWorkflow, Problem


def refuse_names(unknown: Iterable[str], known: frozenset[str], of: str) -> NoReturn:
    """Refuse options that this version of sciflow does not know.

    Raises:
        InvalidWorkflow: always.
    """
    problem = Problem(where="", what=f"{of} has no option {', '.join(unknown)}", expected=", ".join(sorted(known)))
    raise InvalidWorkflow([problem])
