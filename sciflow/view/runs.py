"""Runs in one line each: the list of them, and the line in which one ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sciflow.core.progress import Counts, RunElsewhere, RunSummary, Snapshot
from sciflow.core.records import Phase
from sciflow.view.phases import LOOKS
from sciflow.view.quantity import count, day, duration

if TYPE_CHECKING:
    from rich.table import Table


def for_terminal(runs: Sequence[RunSummary], *, now_s: float) -> Table:
    """What rich prints: a line a run."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("run", "phase", "started"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("time", justify="right", no_wrap=True)
    grid.add_column("tasks")
    for run in runs:
        look = LOOKS[run.phase]
        told = "; ".join(filter(None, (tally(run.counts) if run.counts.total else "", run.message)))
        phase = Text(f"{look.mark} {run.phase}", style=look.style)
        grid.add_row(Text(run.id), phase, day(run.started, now_s=now_s), duration(run.seconds), told)
    return grid


def for_terminal_elsewhere(runs: Sequence[RunElsewhere], *, now_s: float) -> Table:
    """The same of runs that a server knows: it does not know of their tasks, but who has begun them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("run", "workflow", "phase", "started"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("time", justify="right", no_wrap=True)
    for name in ("by", "here"):
        grid.add_column(name)
    for run in runs:
        look = LOOKS[run.phase]
        phase = Text(f"{look.mark} {run.phase}", style=look.style)
        seconds = (run.ended or now_s) - run.started
        told = (day(run.started, now_s=now_s), duration(seconds), run.by, "yes" if run.here else "")
        grid.add_row(Text(" ".join(run.id.split())), Text(run.name), phase, *told)  # anybody may write an id there
    return grid


def tally(counts: Counts) -> str:
    """Tasks by what became of them: `12 of 43, 2 failed`; what is neither was not run."""
    done = f"{counts.succeeded:,}" + (f" of {counts.total:,}" if counts.total != counts.succeeded else "")
    facts = {
        "failed": counts.failed + counts.error,
        "running": counts.running,
        "suspended": counts.suspended,
        "cached": counts.cached,
        "flagged": counts.flagged,
    }
    return ", ".join([done, *(f"{number:,} {word}" for word, number in facts.items() if number)])


def ending(snapshot: Snapshot) -> str:
    """The end of a run in one line: phase, time, tasks."""
    steps = snapshot.steps
    sums = {
        "cached": sum(step.cached for step in steps),
        "failed": sum(step.failed for step in steps),
        "flagged": sum(step.flagged for step in steps),
        "skipped": sum(step.skipped for step in steps),
        "omitted": sum(step.omitted for step in steps),
    }
    facts = [count(sum(step.done for step in steps), "task")]
    facts += [f"{number:,} {word}" for word, number in sums.items() if number]
    word = "ended" if snapshot.phase is Phase.RUNNING else str(snapshot.phase).lower()
    return f"{snapshot.name} {word} in {duration(snapshot.seconds)}: {', '.join(facts)}"
