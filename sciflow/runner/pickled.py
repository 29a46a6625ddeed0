"""`Pickled[T]`: the annotation that lets a picklable object travel; for mypy it is `T`."""

from __future__ import annotations

from typing import Annotated, TypeVar

T = TypeVar("T")

PICKLED = "sciflow.pickled"
Pickled = Annotated[T, PICKLED]
"""A value that travels as a pickle, having no JSON form: it needs the same Python and packages on both sides."""
