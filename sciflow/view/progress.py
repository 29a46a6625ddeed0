"""Progress of a run as text: one line a step, for terminals and plain streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sciflow.core.progress import Snapshot, StepProgress
from sciflow.core.records import Phase
from sciflow.view.folding import folded
from sciflow.view.phases import LOOKS
from sciflow.view.quantity import clock, duration

if TYPE_CHECKING:
    from rich.table import Table

LINES_ON_TERMINAL = 30  # steps shown at once
WIDE = 100  # columns of a terminal from which there are bars
BAR = 16  # columns of a bar
MESSAGE = 40  # characters of what an op says


def headline(snapshot: Snapshot) -> str:
    """The run in one line, and in a second one what there is to say of it."""
    more = f"\n{snapshot.message}" if snapshot.message else ""
    return f"{snapshot.name}  {snapshot.phase}  {duration(snapshot.seconds)}  {snapshot.run_id}{more}"


def plain_line(step: StepProgress) -> str:
    """One step in one line."""
    facts = [f"{step.path:<24} {fraction(step):>11}", *remarks(step), duration(step.elapsed_s)]
    if step.remaining_s is not None and not ended(step):
        facts.append(f"about {duration(step.remaining_s)} left")
    return "  ".join(facts)


def fraction(step: StepProgress) -> str:
    """Done and total: `3/12`, `3/?`; nothing of a step that ended before its tasks could be counted."""
    if step.total is None and step.phase.ended:
        return ""
    return f"{step.done:,}/{'?' if step.total is None else f'{step.total:,}'}"


def remarks(step: StepProgress) -> Iterator[str]:
    """What is more to say than done and total: only counts that are not 0."""
    counts = {
        "failed": step.failed,
        "running": step.running,
        "cached": step.cached,
        "flagged": step.flagged,
        "skipped": step.skipped,
        "omitted": step.omitted,
    }
    yield from (f"{number:,} {word}" for word, number in counts.items() if number)
    if step.phase is Phase.SUSPENDED:
        yield "suspended"
    if step.message and not ended(step):
        from sciflow.view.value import cut  # what values need is slow to import, and few steps have a message

        yield cut(step.message, width=MESSAGE)


def for_terminal(snapshot: Snapshot, *, width: int) -> Table:
    """What rich prints: mark, step, bar where there is room for it, done/total, time, time left and remarks."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False, width=width)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, max_width=width // 3)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(no_wrap=True, ratio=1)
    steps = folded(snapshot.steps)
    for step in _most_telling(steps):
        look = LOOKS[state(step)]
        bar = Text(_bar(step) if width >= WIDE else "", style="red" if step.failed else look.style)
        mark, time_taken = Text(look.mark, style=look.style), Text(_elapsed(step), style="dim")
        notes = Text(
            ", ".join(_notes(step, goes_on=snapshot.phase is Phase.RUNNING)), style="red" if step.failed else ""
        )
        grid.add_row(mark, Text(step.path), bar, Text(fraction(step)), time_taken, notes)
    hidden = len(steps) - grid.row_count
    if hidden:
        grid.add_row("", Text(f"and {hidden} more steps", style="dim"))
    return grid


def _elapsed(step: StepProgress) -> str:
    return clock(step.elapsed_s) if step.total and (step.done or step.running) else ""


def _notes(step: StepProgress, *, goes_on: bool) -> Iterator[str]:
    if goes_on and step.remaining_s is not None and not ended(step):
        yield f"{clock(step.remaining_s)} left"
    yield from remarks(step)


def _most_telling(steps: tuple[StepProgress, ...]) -> list[StepProgress]:
    """As many steps as there is room for: running and failed ones rather than those that wait or are done.

    Of many that were not run no line is of use.
    """
    if len(steps) <= LINES_ON_TERMINAL:
        return list(steps)
    order = sorted(range(len(steps)), key=lambda n: (not (steps[n].running or steps[n].failed), ended(steps[n]), n))
    told = [n for n in order if steps[n].phase is not Phase.OMITTED] or order[:1]
    return [steps[n] for n in sorted(told[:LINES_ON_TERMINAL])]


def _bar(step: StepProgress) -> str:
    share = 0.0 if not step.total else step.done / step.total
    full = BAR if ended(step) else int(share * BAR)
    return "━" * full + "╌" * (BAR - full)


def ended(step: StepProgress) -> bool:
    """Whether all of its tasks have come to their end."""
    return step.phase.ended or (step.total is not None and step.done >= step.total and not step.running)


def state(step: StepProgress) -> Phase:
    """The phase by which a step is marked, made from its counts where it was not told."""
    if step.phase is not Phase.PENDING:
        return step.phase
    if step.failed:
        return Phase.FAILED
    if ended(step):
        return Phase.SUCCEEDED
    return Phase.RUNNING if step.running or step.done else Phase.PENDING


def tally(step: StepProgress) -> tuple[object, ...]:
    """What makes news of a step when it differs; times alone do not."""
    return (step.total, step.done, bool(step.running), step.cached, step.failed, step.flagged, step.phase, step.message)
