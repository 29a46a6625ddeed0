"""Fans outside a workflow: plain loops.

Standard library only and clean for Python 3.9: ops call ops wherever they run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_Call = tuple[Sequence[Any], dict[str, Any]]


def zipped(lists: Sequence[Iterable[Any]], named: Mapping[str, Iterable[Any]]) -> Iterator[_Call]:
    """The arguments of each call, lists side by side.

    Raises:
        ValueError: lists of unequal length.
        TypeError: no list at all.
    """
    columns = _columns(lists, named)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError("lists of unequal length: " + ", ".join(f"{n} has {k}" for n, k in lengths.items()))
    return _calls(len(lists), list(named), zip(*columns.values()))


def crossed(lists: Sequence[Iterable[Any]], named: Mapping[str, Iterable[Any]]) -> Iterator[_Call]:
    """The arguments of each call, every combination, the last list running fastest.

    Raises:
        TypeError: no list at all.
    """
    return _calls(len(lists), list(named), itertools.product(*_columns(lists, named).values()))


def _columns(lists: Sequence[Iterable[Any]], named: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    columns = {f"list {i}": list(column) for i, column in enumerate(lists, 1)}
    columns.update((name, list(column)) for name, column in named.items())
    if not columns:
        raise TypeError("a fan needs at least one list")
    return columns


def _calls(positional: int, names: list[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[_Call]:
    for row in rows:
        yield row[:positional], dict(zip(names, row[positional:]))
