"""What makes nodes and values conditional, and functions of values that are not known yet.

Outside a workflow they work on plain values. `when(False)` cannot skip its lines there, so calls of ops under it are
not made and give None.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from sciflow.author.active import TRACER
from sciflow.author.location import user_place
from sciflow.author.reference import Ref, applied

A = TypeVar("A")
B = TypeVar("B")


@contextmanager
def when(condition: bool) -> Iterator[None]:
    """Calls inside are run only where `condition` holds; the outputs of those that are not are absent.

    An absent output leaves the port that takes it at its default, or at None where its type allows that.
    """
    from sciflow.author.tracer import GraphTracer

    tracer = TRACER.get()
    if isinstance(tracer, GraphTracer):
        with tracer.under(tracer.condition_of(condition, user_place())):
            yield
    elif condition:
        yield
    else:
        token = TRACER.set(cast("Any", Skipping()))
        try:
            yield
        finally:
            TRACER.reset(token)


class Skipping:
    """Stands for the tracer under a condition that does not hold, outside a workflow: no call is made."""

    problems: list[Any] = []  # noqa: RUF012

    def call(self, *_: Any) -> None:
        """None, as an absent output is where the type allows it."""

    def fan(self, *_: Any) -> None:
        """As `call`."""


def choose(condition: bool, then: A, otherwise: B) -> A | B:
    """`then if condition else otherwise` for values that are not known yet; only the chosen one need exist."""
    if any(isinstance(v, Ref) for v in (condition, then, otherwise)):
        return cast("A | B", applied("choose", condition, then, otherwise))
    return then if condition else otherwise


def not_(condition: object) -> bool:
    """`not condition`."""
    return cast("bool", applied("not", condition)) if isinstance(condition, Ref) else not condition


def length(of: Any) -> int:
    """`len(of)`."""
    return cast("int", applied("len", of)) if isinstance(of, Ref) else len(of)


def contains(container: Any, item: object) -> bool:
    """`item in container`."""
    if isinstance(container, Ref) or isinstance(item, Ref):
        return cast("bool", applied("contains", container, item))
    return item in container


def sequence(*bounds: int) -> list[int]:
    """`list(range(...))`."""
    return (
        cast("list[int]", applied("range", *bounds))
        if any(isinstance(b, Ref) for b in bounds)
        else list(range(*bounds))
    )
