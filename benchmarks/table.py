"""The table as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.records import Line, Row, Samples, Spread

HEAD = (
    "row", "quantity", "sciflow", "(min–max)", "peer", "its value", "(min–max)", "ratio", "target", "", "n", "others",
)  # fmt: skip


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _range(spread: Spread) -> str:
    return f"({number(spread.low)}–{number(spread.high)})" if spread.samples > 1 else ""


def cells(line: Line) -> tuple[str, ...]:
    """A line as text."""
    theirs = ("", "") if line.theirs is None else (number(line.theirs.middle), _range(line.theirs))
    return (
        line.row, line.quantity, f"{number(line.ours.middle)} {line.unit}".rstrip(), _range(line.ours),
        line.peer if line.theirs is not None else "", *theirs, "" if line.ratio is None else f"{line.ratio:.2f}",
        line.target, {None: "", True: "yes", False: "NO"}[line.reached], str(line.ours.samples), f"{line.others:.0%}",
    )  # fmt: skip


def text(lines: Sequence[Line]) -> str:
    """The table, its columns aligned."""
    rows = [HEAD, *(cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def machine() -> dict[str, str]:
    """Where it was measured, and with what."""
    peers = {}
    for name in ("sciflow-hpc", "executorlib", "parsl", "distributed"):
        try:
            peers[name] = version(name)
        except PackageNotFoundError:
            peers[name] = "not installed"
    load = " ".join(f"{part:.1f}" for part in os.getloadavg())
    cores = str(os.cpu_count())
    return {"python": sys.version.split()[0], "system": platform.platform(), "cores": cores, "load": load} | peers


def write_json(
    path: Path, lines: Sequence[Line], rows: Sequence[Row], samples: Mapping[str, Samples], facts: Mapping[str, str]
) -> None:
    """Everything that was measured: the lines of the table, and every sample."""
    told = {
        "machine": dict(facts),
        "lines": [dataclasses.asdict(line) for line in lines],
        "rows": {
            row.name: {
                "work": row.work,
                "note": row.note,
                "samples": {side: [dataclasses.asdict(s) for s in taken] for side, taken in samples[row.name].items()},
            }
            for row in rows
            if row.name in samples
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1))
