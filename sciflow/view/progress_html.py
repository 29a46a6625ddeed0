"""Progress of a run as an HTML table, for notebooks."""

from __future__ import annotations

from html import escape

from sciflow.core.progress import Snapshot, StepProgress
from sciflow.view.folding import folded
from sciflow.view.phases import LOOKS
from sciflow.view.progress import ended, fraction, remarks, state
from sciflow.view.quantity import duration


def as_html(snapshot: Snapshot) -> str:
    """The run as an HTML table."""
    rows = "".join(map(_html_row, folded(snapshot.steps)))
    colour = LOOKS[snapshot.phase].colour
    head = f'<b style="color:{colour}">{escape(snapshot.phase)}</b> {escape(snapshot.name)} '
    about = f"<code>{escape(snapshot.run_id)}</code> {duration(snapshot.seconds)} {escape(snapshot.message)}"
    columns = ("", "step", "done", "progress", "time", "left", "")
    heads = "".join(f'<th style="text-align:left">{name}</th>' for name in columns)
    return f"<div>{head}{about}</div><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _html_row(step: StepProgress) -> str:
    look = LOOKS[state(step)]
    left = "" if step.remaining_s is None or ended(step) else duration(step.remaining_s)
    bar = f'<progress value="{step.done}" max="{step.total or max(step.done, 1)}" style="width:10em"></progress>'
    mark = f'<span style="color:{look.colour}">{look.mark}</span>'
    texts = (escape(step.path), fraction(step), bar, duration(step.elapsed_s), left, escape(", ".join(remarks(step))))
    return "<tr>" + "".join(f'<td style="text-align:left">{text}</td>' for text in (mark, *texts)) + "</tr>"
