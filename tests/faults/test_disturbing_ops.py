"""Ops that change what they share with their neighbours: the next slice finds everything as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.faults.harness import NEEDS_LINUX, Bench
from tests.faults.programs import trouble

pytest.importorskip("numpy")
pytestmark = [pytest.mark.faults, NEEDS_LINUX]

DISTURBANCES = [
    "cwd", "cwd gone", "cwd locked", "environ", "environ replaced", "signal handlers", "timer", "blocked signals",
    "random numbers", "numpy settings", "logging", "sys.path", "sys.argv", "umask", "closed descriptors",
    "closed streams", "streams turned elsewhere", "limits", "trace", "sys.exit", "keyboard interrupt",
]  # fmt: skip
FAILING = {"sys.exit", "keyboard interrupt"}


@pytest.fixture
def calm(bench: Bench) -> list[dict[str, object]]:
    """What the slices find when nobody disturbs."""
    run = trouble.guests.options(workers=1).run(whats=["nothing"] * (len(DISTURBANCES) + 1))
    return run.result


def test_no_disturbance_is_seen_by_the_next_slice(bench: Bench, calm: list[dict[str, object]]) -> None:
    run = trouble.guests.options(workers=1).run(whats=[*DISTURBANCES, "nothing"])
    found = run.result
    tasks = run.tasks("guest")
    for number, (task, what) in enumerate(zip(tasks, [*DISTURBANCES, "nothing"], strict=True)):
        before = DISTURBANCES[number - 1] if number else "nothing"
        assert task.phase == ("Failed" if what in FAILING else "Succeeded"), f"after {before!r}: {task.error}"
        if what not in FAILING:
            assert found[number] == calm[number], f"disturbed by {before!r}"
        assert run.logs(f"guest/{number}") == f"guest guest/{number} is here\n", f"the log after {before!r}"
    assert len({task.attempt for task in tasks}) == 1
    assert len(list((run.folder / "logs").glob("1-*.out"))) == 1, "all in one process"


def test_an_op_in_a_process_of_its_own_finds_the_same(bench: Bench, calm: list[dict[str, object]]) -> None:
    run = trouble.isolated_guests.options(workers=1).run(whats=[*DISTURBANCES, "nothing"])
    for number, (mine, other) in enumerate(zip(run.result, calm, strict=True)):
        what = [*DISTURBANCES, "nothing"][number]
        assert (mine is None) == (what in FAILING), what
        if mine is not None:
            assert mine == other, f"disturbed before {what!r}"
        assert f"guest guest/{number} is here" in run.logs(f"guest/{number}")


def test_what_ops_leave_in_their_working_folder_is_kept_with_them_and_with_nobody_else(bench: Bench) -> None:
    run = trouble.litterers.options(workers=1).run(xs=[0, 1, 2])
    assert run.result == [0, None, 2]
    for number in range(3):
        folder = run.folder / "tasks" / "litter" / str(number)
        assert (folder / "deep/er/left.txt").read_text() == str(number)
        assert (folder / ".hidden").read_text() == "h"
        assert (folder / "name with space\n.txt").read_text() == "odd"
        assert [task.folder for task in run.tasks(f"litter/{number}")] == [folder]
        for root, folders, files in os.walk(folder):
            for name in [*folders, *files]:
                assert not stat.S_ISFIFO(Path(root, name).lstat().st_mode), "a pipe was kept"
