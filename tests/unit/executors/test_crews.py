"""Jobs that run several elements of a submission: the batch system's numbers and ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from sciflow.core.graph import Resources
from sciflow.executors.batch.crews import Crews, together, workers_of
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.systems.script import script
from sciflow.executors.systems.slurm import Slurm
from sciflow.executors.systems.system import Crew, Part, Site, State, Submission
from sciflow.executors.transports.transport import Output

RECORD = BatchRecord(name="b", executor="cluster", job="7", elements=((),) * 5, workers=2)  # crews 0,1 2,3 4


@pytest.fixture
def crews(tmp_path: Path) -> Crews:
    return Crews(Slurm(), records=lambda: [RECORD], folder=lambda name: str(tmp_path / name))


def cancelled(crews: Crews, elements: Sequence[int], folder: Path) -> tuple[str, list[str]]:
    """With what `scancel` is called, and the marks that are made."""
    programs, said = folder / "bin", folder / "said"
    programs.mkdir()
    (programs / "scancel").write_text(f'#!/bin/sh\necho "$@" > {said}\n')
    (programs / "scancel").chmod(0o755)
    command = crews.cancel([Part(job="7", elements=elements)])
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(command.argv, env=env, capture_output=True, check=False)
    command.parse(Output(code=done.returncode, stdout=done.stdout, stderr=done.stderr))
    marks = folder / "b" / "cancelled"
    return said.read_text().strip() if said.exists() else "", sorted(p.name for p in marks.glob("*"))


def test_what_is_said_of_a_job_is_said_of_all_that_it_runs(crews: Crews) -> None:
    listing = b"7_1|RUNNING|None|b\n7_2|PENDING|Priority|b\n9_1|RUNNING|None|x\n"
    states = crews.queue().parse(Output(code=0, stdout=listing, stderr=b""))
    assert {(s.job, s.element): s.state for s in states} == {
        ("7", 2): State.RUNNING,
        ("7", 3): State.RUNNING,
        ("7", 4): State.QUEUED,
        ("9", 1): State.RUNNING,
    }


@pytest.mark.parametrize(
    ("elements", "asked", "marks"),
    [([2, 3], "--quiet 7_[1]", []), ([1, 2, 3, 4], "--quiet 7_[1-2]", ["1"]), ([3], "", ["3"])],
    ids=["a whole job", "whole jobs and a part of one", "a part"],
)
def test_a_job_is_ended_with_the_last_of_its_elements_and_marks_end_the_others(
    crews: Crews, tmp_path: Path, elements: list[int], asked: str, marks: list[str]
) -> None:
    assert cancelled(crews, elements, tmp_path) == (asked, marks)


def test_a_job_needs_as_much_as_all_that_it_runs_and_ranks_have_one_for_themselves() -> None:
    assert together(Resources(cpus=4, memory_mb=1000, gpus=1), 3) == Resources(cpus=12, memory_mb=3000, gpus=3)
    assert [workers_of(Resources(ranks=ranks), 3) for ranks in (1, 2)] == [3, 1]


def test_a_script_that_comes_to_nothing_says_so_of_all_elements_that_it_was_to_run(tmp_path: Path) -> None:
    submission = Submission(
        name="b",
        folder=str(tmp_path),
        elements=2,
        resources=Resources(),
        site=Site(prologue=("exit 3",)),
        command=("true",),
        crew=Crew(workers=3, elements=5),
    )
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "3").touch()
    subprocess.run(["bash", "-c", script([], submission, mark="#", element="1")], check=False)
    assert {path.name: path.read_text() for path in (tmp_path / "died").iterdir()} == {"4": "3\n"}
