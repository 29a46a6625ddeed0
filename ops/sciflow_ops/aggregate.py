"""What comes after a fan: split and concatenate lists, group and reduce by key, rank, and put results in a table.

A fan with `min_success` leaves None where a slice failed. Every op here takes such lists, and says how many there were.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Number
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from sciflow import op

Cell = str | int | float | bool | None
Key = str | int
Order = Literal["lowest", "highest"]
How = Literal["count", "sum", "mean", "median", "stdev", "min", "max"]

REDUCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {
        "count": len,
        "sum": math.fsum,
        "mean": statistics.fmean,
        "median": statistics.median,
        "stdev": statistics.stdev,
        "min": min,
        "max": max,
    }
)


class Group(NamedTuple):
    """The values of one key, reduced to a number."""

    key: Any
    value: float  # NaN if too few values are there
    used: int  # values that went in
    missing: int  # values that were None or NaN


class Ranked(NamedTuple):
    """One of several candidates."""

    item: Any
    score: float
    place: int  # its number among the candidates


class Table(NamedTuple):
    """Results side by side: one row per input, always, in the order of the inputs."""

    rows: list[dict[str, Any]]  # of numbers, text, truth values and None
    file: Path  # the same as CSV
    failed: int  # rows without a result


@op
def batched(items: Sequence[Any], *, size: int) -> list[list[Any]]:
    """Cut a list into lists of `size`, in order: the gather per group after a `product`.

    Raises:
        ValueError: the list is no whole number of groups.
    """
    if size < 1 or len(items) % size:
        raise ValueError(f"{len(items)} items cannot be cut into groups of {size}")
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


@op
def concat(lists: Sequence[Sequence[Any] | None]) -> list[Any]:
    """All elements of all lists, in order; a list that is None (a failed slice) adds nothing."""
    return [item for items in lists if items is not None for item in items]


@op
def group_by_key(keys: Sequence[Key], values: Sequence[Any]) -> dict[Key, list[Any]]:
    """The values of each key, keys in the order of their first appearance; None stays where it was.

    Raises:
        ValueError: lists of unequal length.
    """
    groups: dict[Key, list[Any]] = {}
    for key, value in _pairs("keys", keys, "values", values):
        groups.setdefault(key, []).append(value)
    return groups


@op
def reduce_by_key(keys: Sequence[Key], values: Sequence[float | None], *, how: How = "mean") -> list[Group]:
    """One number per key, keys in the order of their first appearance.

    Args:
        keys: n of them.
        values: n numbers; None and NaN are left out and counted.
        how: "stdev" is of a sample (n - 1), and needs two values.

    Raises:
        ValueError: lists of unequal length.
    """
    least = {"count": 0, "sum": 0, "stdev": 2}.get(how, 1)
    reduced = []
    for key, members in group_by_key(keys, values).items():
        there = [value for value in members if not _missing(value)]
        value = float(REDUCTIONS[how](there)) if len(there) >= least else math.nan
        reduced.append(Group(key, value, len(there), len(members) - len(there)))
    return reduced


@op
def rank(
    items: Sequence[Any],
    scores: Sequence[float | None],
    *,
    order: Order = "lowest",
    count: int | None = None,
) -> list[Ranked]:
    """The candidates by score, best first; equal scores keep their order, None and NaN are left out.

    Args:
        items: n candidates.
        scores: their n scores.
        order: which score is the best.
        count: as many as that at most; None for all.

    Raises:
        ValueError: lists of unequal length.
    """
    pairs = enumerate(_pairs("items", items, "scores", scores))
    ranked = [Ranked(item, float(score), place) for place, (item, score) in pairs if not _missing(score)]
    ranked.sort(key=lambda entry: entry.score if order == "lowest" else -entry.score)
    return ranked[:count]


@op
def best_of(items: Sequence[Any], scores: Sequence[float | None], *, order: Order = "lowest") -> Ranked:
    """The candidate with the best score, the first of several.

    Raises:
        ValueError: no candidate has a score, or lists of unequal length.
    """
    ranked = rank(items, scores, order=order, count=1)
    if not ranked:
        raise ValueError(f"none of the {len(items)} candidates has a score")
    return ranked[0]


@op
def gather_table(
    keys: Sequence[Any], results: Sequence[Any], *, errors: Sequence[str | None] | None = None, name: str = "table.csv"
) -> Table:
    """One row per input, in order, also where there is no result.

    A column per number, text or truth value: of the keys first ("key", or the fields of a record), then "status"
    (succeeded, flagged for a result with `converged=False`, failed), the fields of the results, and "error". Fields
    of a record within a record are named "outer.inner"; structures, arrays and lists are left out.

    Args:
        keys: n inputs: numbers, text, paths, or records of them.
        results: n results: numbers ("value") or records; None for a failure.
        errors: n reasons, where known.
        name: of the CSV file.

    Raises:
        ValueError: lists of unequal length.
    """
    reasons = errors if errors is not None else [None] * len(keys)
    rows: list[dict[str, Cell]] = []
    for (key, result), (_, reason) in zip(
        _pairs("keys", keys, "results", results), _pairs("keys", keys, "errors", reasons), strict=True
    ):
        row = dict(_cells(key, "key"))
        row["status"] = _status(result)
        rows.append(row | dict(_cells(result, "value")) | {"error": reason})
    if not any(reasons):
        rows = [{name: cell for name, cell in row.items() if name != "error"} for row in rows]
    rows = _rectangular(rows)
    return Table(rows, _write(rows, Path(name)), sum(row["status"] == "failed" for row in rows))


def _status(result: Any) -> str:
    if result is None:
        return "failed"
    return "succeeded" if getattr(result, "converged", True) else "flagged"


def _cells(value: Any, name: str) -> Iterator[tuple[str, Cell]]:
    """The flat content of a value: itself if it is a plain one, else its fields, one level below another."""
    match value:
        case None:
            return
        case Enum():
            yield name, value.name
        case bool() | str() | int() | float():
            yield name, value
        case Path():
            yield name, value.name
        case Number() if hasattr(value, "item"):  # a numpy scalar
            yield name, value.item()
        case _:
            for field, member in _fields(value):
                for inner, cell in _cells(member, field):
                    yield (inner if inner == field else f"{field}.{inner}"), cell


def _fields(value: Any) -> list[tuple[str, Any]]:
    match value:
        case dict():
            return [(str(field), member) for field, member in value.items()]
        case tuple() if hasattr(value, "_asdict"):
            return list(value._asdict().items())
        case _ if is_dataclass(value):
            return [(field.name, getattr(value, field.name)) for field in fields(value)]
        case _:
            return []


def _rectangular(rows: list[dict[str, Cell]]) -> list[dict[str, Cell]]:
    """The rows with the same columns in the same order, "error" last."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns.sort(key=lambda name: name == "error")
    return [{name: row.get(name) for name in columns} for row in rows]


def _write(rows: list[dict[str, Cell]], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["key", "status"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def _pairs(left_name: str, left: Sequence[Any], right_name: str, right: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    if len(left) != len(right):
        raise ValueError(f"{len(left)} {left_name} and {len(right)} {right_name}: one to one expected")
    return zip(left, right, strict=True)


def _missing(value: Any) -> bool:
    return value is None or math.isnan(value)
