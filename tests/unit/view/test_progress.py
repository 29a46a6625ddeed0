"""Progress: a line a step, on terminals, in pipes and in notebooks."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.console import Console

from sciflow.core.progress import Counts, Plan, PlannedStep, RunSummary, Snapshot, StepProgress
from sciflow.core.records import Phase
from sciflow.view import plan, runs
from sciflow.view.display import LiveDisplay, PlainDisplay, open_display
from sciflow.view.folding import folded
from sciflow.view.progress import LINES_ON_TERMINAL, for_terminal
from sciflow.view.progress_html import as_html
from tests.unit.view.examples import RUN, snapshot


def printed(thing: Any, *, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(thing)
    return out.getvalue()


def test_at_80_columns_a_line_has_done_total_time_left_and_failures() -> None:
    lines = printed(for_terminal(snapshot(), width=80)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    strain, energy, fit = lines
    assert strain.split() == ["✓", "strain", "1/1", "0.1", "s"]
    assert "400/1,000" in energy
    assert "1:33 left, 3 failed, 2 running, 12 cached" in energy
    assert fit.split() == ["○", "fit", "0/?"]


def test_a_wide_terminal_has_bars() -> None:
    assert "━" in printed(for_terminal(snapshot(), width=120), width=120)


def test_many_steps_are_cut_to_those_that_tell_most() -> None:
    waiting = tuple(msgspec.structs.replace(snapshot().steps[2], path=f"wait-{n}") for n in range(100))
    many = msgspec.structs.replace(snapshot(), steps=(*waiting, snapshot().steps[1]))
    lines = printed(for_terminal(many, width=80)).splitlines()
    assert len(lines) == LINES_ON_TERMINAL + 1
    assert any("energy" in line for line in lines)
    assert lines[-1].split() == ["and", "71", "more", "steps"]


def test_of_many_steps_those_that_were_not_run_are_a_number() -> None:
    omitted = msgspec.structs.replace(snapshot().steps[2], phase=Phase.OMITTED)
    waiting = tuple(msgspec.structs.replace(omitted, path=f"wait-{n}") for n in range(3000))
    many = msgspec.structs.replace(snapshot(), steps=(*waiting, snapshot().steps[1]))
    told, more = printed(for_terminal(many, width=80)).splitlines()
    assert "energy" in told
    assert more.split() == ["and", "3000", "more", "steps"]


def test_plain_lines_appear_when_a_step_begins_and_ends_and_every_ten_seconds() -> None:
    out, now = io.StringIO(), [0.0]
    display = PlainDisplay(out, clock=lambda: now[0])
    for second, done in enumerate((1, 2, 3, 4), start=0):
        now[0] = second * 4.0
        display.show(snapshot(done))
    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [["strain", "1/1"], ["energy", "1/1,000"], ["energy", "4/1,000"]]
    assert "2 running" in lines[1]
    assert "about 1 min 33 s left" in lines[1]


def test_what_a_run_waits_for_is_a_line_when_it_is_new_unless_somebody_has_printed_it() -> None:
    out, now = io.StringIO(), [0.0]
    display = PlainDisplay(out, clock=lambda: now[0])
    told = ((0.0, "waits: a", True), (1.0, "waits: a", True), (2.0, "waits: b", True), (20.0, "no answer", False))
    for now[0], message, passing in (*told, (21.0, "waits: c", True)):
        display.show(msgspec.structs.replace(snapshot(), steps=(), message=message, passing=passing))
    assert out.getvalue().splitlines() == ["waits: a", "waits: c"]


def test_into_a_pipe_nothing_is_redrawn() -> None:
    out = io.StringIO()
    display = open_display(out)
    display.show(snapshot())
    display.close()
    assert isinstance(display, PlainDisplay)
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_table_is_redrawn_in_place() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    display = open_display(out)
    display.show(snapshot(1))
    display.show(snapshot(2))
    display.close()
    assert isinstance(display, LiveDisplay)
    assert "\x1b[" in out.getvalue()


def test_in_a_notebook_one_html_table_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        """What IPython calls a notebook's shell."""

    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)

    def display(html: str, *, display_id: bool) -> SimpleNamespace:
        shown.append(html)
        assert display_id
        return handle

    ipython = SimpleNamespace(get_ipython=ZMQInteractiveShell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    notebook = open_display()
    notebook.show(snapshot(1))
    notebook.show(snapshot(2))
    notebook.close()
    assert len(shown) == 2
    assert "2/1,000" in shown[1]


def depths(deepest: int, *, running: bool) -> Snapshot:
    """A workflow that calls itself as `again` and has one more step, at work at its deepest or ended."""
    steps = []
    for depth in range(deepest + 1):
        path, last = "again/" * depth, depth == deepest and running
        done = 0 if last else 1
        phase = Phase.RUNNING if last else Phase.SUCCEEDED
        steps.append(StepProgress(path=path + "step", phase=phase, total=1, done=done, running=1 - done, elapsed_s=2.0))
        called = StepProgress(path=path + "again", phase=Phase.RUNNING if running else Phase.SUCCEEDED, total=1)
        if depth == deepest:
            called = StepProgress(path=path + "again", phase=Phase.PENDING if running else Phase.SKIPPED)
        steps.append(called)
    return msgspec.structs.replace(snapshot(), steps=tuple(steps), phase=Phase.RUNNING)


def test_a_workflow_that_calls_itself_has_one_line_a_step() -> None:
    lines = printed(for_terminal(depths(50, running=True), width=80)).splitlines()
    assert [line.split()[1] for line in lines] == ["step", "again", "again/step"]
    assert "49/50" in lines[2]
    assert "1:40" in lines[2]
    assert as_html(depths(50, running=True)).count("<tr>") == 4
    ended = printed(for_terminal(depths(50, running=False), width=80)).splitlines()
    assert "50/50" in ended[2]
    assert ended[2].startswith("✓")


def test_two_workflows_that_call_each_other_have_one_line_a_step() -> None:
    paths = ["even", "even/odd", "even/odd/even", "even/odd/even/odd", "even/odd/even/odd/even"]
    assert [step.path for step in folded([StepProgress(path=path) for path in paths])] == [
        "even",
        "even/odd",
        "even/odd/even",
    ]


def test_plain_lines_of_a_workflow_that_calls_itself_are_not_one_per_depth() -> None:
    out = io.StringIO()
    display = PlainDisplay(out, clock=lambda: 0.0)
    for deepest in range(30):
        display.show(depths(deepest, running=True))
    display.show(depths(29, running=False))
    assert len(out.getvalue().splitlines()) < 8


def test_html_escapes_what_ops_say() -> None:
    step = msgspec.structs.replace(snapshot().steps[1], message="<script>")
    assert "<script>" not in as_html(msgspec.structs.replace(snapshot(), steps=(step,)))


def test_a_run_is_a_line_in_the_list() -> None:
    counts = Counts(succeeded=41, failed=2, omitted=1, cached=12)
    run = RunSummary(id=RUN, name="eos", phase=Phase.FAILED, started=0.0, seconds=75, counts=counts, folder="x")
    text = printed(runs.for_terminal([run], now_s=60.0), width=120)
    assert "✗ Failed" in text
    assert "41 of 44, 2 failed, 12 cached" in text


def test_the_end_of_a_run_is_one_line() -> None:
    assert runs.ending(snapshot()) == "eos ended in 1 min 02 s: 401 tasks, 12 cached, 3 failed"


def test_a_plan_says_what_is_cached_and_why_the_rest_runs() -> None:
    steps = (
        PlannedStep(path="strain", template="strain", slices=1, cached=1),
        PlannedStep(path="energy", template="energy", slices=5, cached=3, reason="the code of energy has changed"),
        PlannedStep(path="fit", template="fit", slices=None, cached=None, reason="its inputs are not known yet"),
    )
    text = printed(plan.for_terminal(Plan(name="eos", steps=steps)))
    assert "the code of energy has changed" in text
    assert "3 steps, at least 6 tasks, 4 of them cached" in text
