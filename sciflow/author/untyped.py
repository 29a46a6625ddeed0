"""Stands for `typing` at run time, which takes longer to import than all that a module with ops needs of us.

Standard library only and clean for Python 3.9.
"""

from __future__ import annotations


class Generic:
    """A class that may be written with parameters, which say nothing at run time."""

    def __class_getitem__(cls, _: object) -> type:
        """The class itself."""
        return cls


def overload(function: object) -> object:
    """A signature is for type checkers."""
    return function
