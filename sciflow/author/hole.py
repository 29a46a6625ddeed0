"""Text with holes, `"{name}.cif"`, taken apart."""

from __future__ import annotations

from typing import NamedTuple


class Hole(NamedTuple):
    """A place for a value; `formatted` is what it says of how to write the value, which nothing here does."""

    name: str
    formatted: str = ""


def pieces_of(template: str) -> list[str | Hole]:
    """The text and the holes of `template`, in order; `{{` and `}}` are braces.

    Raises:
        ValueError: a brace without its partner.
    """
    from string import Formatter  # slow to import

    pieces: list[str | Hole] = []
    for literal, name, spec, conversion in Formatter().parse(template):
        pieces += [literal] if literal else []
        pieces += [] if name is None else [Hole(name, spec or conversion or "")]
    return pieces
