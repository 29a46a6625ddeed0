"""What a pod that has failed says of its tasks, by the file that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciflow.runner.pod_message import why_failed
from sciflow.runner.text import dump


def left(folder: Path, *ends: Any) -> str:
    """A file of outcomes: of the chunk, of its files, and an end in each line."""
    head, rest = {"path": "energy", "chunk": 0, "succeeded": 0}, {"folders": {}, "executable": [], "left": []}
    (folder / "outcomes").write_text("".join(f"{dump(line)}\n" for line in (head, rest, *ends)))
    return str(folder / "outcomes")


def end(slice_: int, attempt: int, phase: str, message: str = "") -> Any:
    error = {"type": "builtins:ValueError", "message": message}
    return [slice_, attempt, "w1", 0, 0, [0, 0, phase, None, 0.0, 0.0, 0, 0, {"error": error} if message else None]]


def test_the_first_task_that_has_failed_is_named_and_the_others_counted(tmp_path: Path) -> None:
    ends = (end(2, 1, "Failed", "no\u2028number\nat all"), end(0, 1, "Succeeded"), end(3, 1, "Failed", "nor this"))
    said = "energy/2: ValueError: no number at all (and 1 more of 3 tasks)"
    assert why_failed(left(tmp_path, *ends)) == said
    assert why_failed(left(tmp_path, end(-1, 1, "Failed", "it"), end(-1, 2, "Succeeded"))) == ""
    assert why_failed(left(tmp_path)) == ""
    assert why_failed(str(tmp_path / "none")) == ""
