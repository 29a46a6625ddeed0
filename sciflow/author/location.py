"""Where the user's code stands: the file and line that every problem begins with.

Standard library only and clean for Python 3.9.
"""

from __future__ import annotations

import os
import sys
from types import CodeType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120  light: no pathlib
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep  # noqa: PTH100, PTH120


def user_place() -> str:
    """`file:line` of the innermost frame that is neither sciflow's own nor the standard library's."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_OURS, _STANDARD)):
        frame = frame.f_back
    return f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def place_of(code: CodeType) -> str:
    """`file:line` where a function begins, its decorators included."""
    return f"{shown(code.co_filename)}:{code.co_firstlineno}"


def shown(filename: str) -> str:
    """A file's name as a person knows it: below the current folder relative, a notebook's cell as such."""
    if filename.startswith("<") or "ipykernel_" in filename:
        return f"notebook cell {filename.strip('<>')}" if "ipy" in filename else filename
    here = os.getcwd() + os.sep  # noqa: PTH109
    return filename.removeprefix(here)
