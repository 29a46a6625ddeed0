"""What a row of the table is: whom it measures, which quantities it takes from that, and what they are to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.measure import Sample

OURS = "sciflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One who does the work of a row, in a fresh process each time."""

    name: str
    work: str = ""  # of `benchmarks.child`: MODULE:FUNCTION[:ARGUMENT]
    size: int = 1
    argv: tuple[str, ...] = ()  # instead of `work`; "{folder}" stands for the folder
    package: str = ""  # that must be installed
    memory: bool = False
    most: int | None = None  # times it is measured at most
    every: int = 1  # times it is measured per repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be reached by our own value, or by its ratio to the peer's."""

    of: Literal["ours", "ratio"] = "ours"
    most: float | None = None
    least: float | None = None

    def reached(self, value: float) -> bool | None:
        """Whether `value` will do; None if nothing is asked."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        bounds = [f"≥ {self.least:g}"] if self.least is not None and self.least != self.most else []
        bounds += [f"{'=' if self.least == self.most else '≤'} {self.most:g}"] if self.most is not None else []
        return " ".join(bounds) + (" × peer" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number of a row: a figure of a side, less that of another side, divided, beside the peer's."""

    name: str
    unit: str
    figure: str = "seconds"
    side: str = OURS
    less: str = ""  # the side whose median is taken away: the same work with one slice
    scale: float = 1.0
    peer: str = ""
    peer_less: str = ""
    peer_scale: float | None = None  # None: as `scale`
    target: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table."""

    name: str
    work: str  # in words
    sides: tuple[Side, ...]
    quantities: tuple[Quantity, ...]
    shared: bool = False  # the sides find each other's runs
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and extremes of the samples of one quantity."""

    middle: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the printed table."""

    row: str
    quantity: str
    unit: str
    ours: Spread
    peer: str = ""
    theirs: Spread | None = None
    ratio: float | None = None
    target: str = ""
    reached: bool | None = None
    others: float = 0.0


Samples = Mapping[str, Sequence[Sample]]  # by side


def lines_of(row: Row, samples: Samples) -> list[Line]:
    """The lines that can be filled: those whose sides were measured."""
    return [_line(row, q, samples) for q in row.quantities if samples.get(q.side)]


def _line(row: Row, quantity: Quantity, samples: Samples) -> Line:
    ours = _spread(quantity.figure, samples[quantity.side], samples.get(quantity.less, ()), quantity.scale)
    theirs = _peer_spread(quantity, samples)
    ratio = ours.middle / theirs.middle if theirs is not None and theirs.middle else None
    target = quantity.target or Target()
    judged = ours.middle if target.of == "ours" else ratio
    used = [sample.others for side in (quantity.side, quantity.peer) for sample in samples.get(side, ())]
    return Line(
        row=row.name, quantity=quantity.name, unit=quantity.unit, ours=ours, peer=quantity.peer, theirs=theirs,
        ratio=ratio, target=str(target), reached=None if judged is None else target.reached(judged),
        others=median(used),
    )  # fmt: skip


def _peer_spread(quantity: Quantity, samples: Samples) -> Spread | None:
    if not samples.get(quantity.peer):
        return None
    scale = quantity.scale if quantity.peer_scale is None else quantity.peer_scale
    return _spread(quantity.figure, samples[quantity.peer], samples.get(quantity.peer_less, ()), scale)


def _spread(figure: str, samples: Sequence[Sample], less: Sequence[Sample], scale: float) -> Spread:
    base = median(sample.figures[figure] for sample in less) if less else 0.0
    values = [(sample.figures[figure] - base) * scale for sample in samples]
    return Spread(middle=median(values), low=min(values), high=max(values), samples=len(values))
