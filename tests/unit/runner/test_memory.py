"""A task that has run out of its container's memory is told from one that somebody has killed."""

from __future__ import annotations

from pathlib import Path

from sciflow.runner.memory import MemoryWatch

KILLED = {"kind": "died", "signal": "SIGKILL", "type": "", "message": "killed"}


def test_only_as_many_deaths_are_for_want_of_memory_as_the_kernel_has_counted_since(tmp_path: Path) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("oom 3\noom_kill 1\n")
    watch = MemoryWatch(200, counters=(str(tmp_path / "none"), str(counter)))
    assert watch.explained(KILLED) == KILLED
    counter.write_text("oom 3\noom_kill 2\n")
    assert watch.explained({"kind": "user", "type": "builtins:ValueError"})["kind"] == "user"
    told = watch.explained(KILLED)
    assert (told["kind"], told["type"]) == ("limit", "sciflow:OutOfMemory")
    assert "the memory of 200 MB" in told["message"]
    assert watch.explained(KILLED) == KILLED
