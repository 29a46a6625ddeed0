"""Stands for `sciflow.author.reference`: where ops run, every value is known."""

from __future__ import annotations

from typing import Any


class Ref:
    """Of which there are none here."""


def applied(function: str, *_operands: object) -> Any:
    """Never called: no operand is a reference."""
    raise AssertionError(function)
