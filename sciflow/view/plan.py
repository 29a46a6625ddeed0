"""A plan as a table: what would run, how often, and why it would not come from the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciflow.core.progress import Plan, PlannedStep
from sciflow.view.quantity import count

if TYPE_CHECKING:
    from rich.console import RenderableType


def for_terminal(plan: Plan) -> RenderableType:
    """What rich prints."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name, justify in (("step", "left"), ("op", "left"), ("tasks", "right"), ("cached", "right")):
        grid.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    grid.add_column("why the rest runs", overflow="fold")
    for step in plan.steps:
        cells = (
            step.path,
            "" if step.template == step.path else step.template,
            _number(step.slices),
            _number(step.cached),
        )
        grid.add_row(*map(Text, cells), Text(step.reason, style="dim"))
    return Group(grid, Text(total(plan), style="bold"))


def _title(step: PlannedStep) -> str:
    """The step, and its op where that is named otherwise."""
    plain = step.path.rpartition("/")[2].partition("-")[0]
    return step.path if step.template == plain else f"{step.path}: {step.template}"


def total(plan: Plan) -> str:
    """The sum of all steps in one line, as far as it is known."""
    known = sum(step.slices for step in plan.steps if step.slices is not None)
    cached = sum(step.cached or 0 for step in plan.steps)
    facts = [count(len(plan.steps), "step"), ("at least " if _open(plan.steps) else "") + count(known, "task")]
    return ", ".join([*facts, f"{cached:,} of them cached"] if cached else facts)


def _open(steps: tuple[PlannedStep, ...]) -> bool:
    return any(step.slices is None for step in steps)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
