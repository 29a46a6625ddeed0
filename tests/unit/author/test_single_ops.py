"""Ops and commands that are run alone: what comes back, and which options their run takes."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from sciflow import InvalidWorkflow, RunFailed, command, op, workflow


class Md(NamedTuple):
    frames: list[Path]
    restart: Path
    notes: Path | None
    log: str


@command(
    "sh", "-c", 'for i in 2 1; do cp "$1" frame-$i.xyz; done; echo "$2" > final.restart; echo done in $2', "sh",
    "{structure}", "{steps}",
    stdout="log",
    outputs={"frames": "frame-*.xyz", "restart": "final.restart", "notes": "notes.txt"},
)  # fmt: skip
def md(structure: Path, steps: int = 10) -> Md:
    raise NotImplementedError


@command("sh", "-c", "touch b.txt a.txt", outputs="*.txt")
def touched() -> list[Path]:
    raise NotImplementedError


@command("cat", stdin="words")
def said(words: str) -> str:
    raise NotImplementedError


@command("sh", "-c", "echo no such force field >&2; exit 2")
def broken() -> str:
    raise NotImplementedError


@op
def half(x: float) -> float:
    if x < 0:
        raise ValueError("negative")
    return x / 2


@op
def quarter(x: float) -> float:
    return half(half(x))


@workflow
def dynamics(structure: Path) -> Md:
    return md(structure, steps=3)


@workflow
def halves(x: float) -> float:
    return half.options(progress=False)(x)


@workflow
def one_half(x: float) -> float:
    return half.options(gpus=2)(x)


def cell(folder: Path) -> Path:
    path = folder / "cu.xyz"
    path.write_text("Cu\n")
    return path


def test_a_commands_named_files_lists_and_texts_come_back_in_its_record(tmp_path: Path) -> None:
    result = dynamics.options(runs=tmp_path, progress=False).run(cell(tmp_path)).result
    assert [(f.name, f.read_text()) for f in result.frames] == [("frame-1.xyz", "Cu\n"), ("frame-2.xyz", "Cu\n")]
    assert (result.restart.read_text(), result.notes, result.log) == ("3\n", None, "done in 3\n")


def test_a_command_called_outside_a_workflow_is_run_at_once(tmp_path: Path) -> None:
    result = md(cell(tmp_path))
    assert isinstance(result, Md)
    assert [f.name for f in result.frames] == ["frame-1.xyz", "frame-2.xyz"]
    assert (result.restart.read_text(), result.notes) == ("10\n", None)
    assert [f.name for f in touched()] == ["a.txt", "b.txt"]
    assert said("Grüße") == "Grüße"
    assert said.map(["a", "b"]) == ["a", "b"]


def test_a_command_that_fails_outside_a_workflow_says_what_it_printed() -> None:
    with pytest.raises(RunFailed, match="no such force field"):
        broken()


def test_the_run_of_a_single_op_takes_a_runs_options(tmp_path: Path) -> None:
    run = half.options(runs=tmp_path, workers=1, progress=False, name="first-try", timeout_s=60).run(3.0)
    assert (run.result, run.name, run.folder.parent) == (1.5, "first-try", tmp_path)
    assert [task.path for task in run.tasks()] == ["half"]


def test_a_run_may_count_more_gpus_than_any_machine_has(tmp_path: Path) -> None:
    assert half.options(runs=tmp_path, progress=False).run(3.0).result == 1.5
    assert one_half.options(runs=tmp_path, progress=False, gpus=10**12).run(3.0).result == 1.5


@pytest.mark.parametrize("timeout_s", [float("inf"), float("nan"), -1.0])
def test_waiting_takes_seconds(tmp_path: Path, timeout_s: float) -> None:
    run = half.options(runs=tmp_path, progress=False).run(3.0)
    with pytest.raises(ValueError, match="None waits without limit"):
        run.wait(timeout_s)
    with pytest.raises(ValueError, match="interval_s: expected a number of seconds"):
        run.watch(interval_s=timeout_s)


def test_what_is_of_a_run_is_refused_at_a_call_in_a_workflow() -> None:
    with pytest.raises(InvalidWorkflow, match="option progress is of a run, not of a call"):
        halves.spec()


def test_an_op_that_calls_an_op_shows_the_users_lines_alone_when_it_fails(tmp_path: Path) -> None:
    run = quarter.options(runs=tmp_path, progress=False).run(-1.0)
    (error,) = run.errors
    assert "negative" in error.message
    assert error.traceback.count(f"{Path(__file__).name}:") == 2
    assert "sciflow/author" not in error.traceback


def test_an_op_under_the_scripts_guard_is_refused_before_anything_runs(tmp_path: Path) -> None:
    script = tmp_path / "energy.py"
    script.write_text(
        textwrap.dedent(
            """
            from sciflow import op

            if True:
                @op
                def reached(x: int) -> int:
                    return x

            if __name__ == "__main__":
                print(reached.options(progress=False).run(1).result)

                @op
                def guarded(x: int) -> int:
                    return x

                guarded.run(1)
            """
        )
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr
    assert "1 problem, nothing was run" in done.stderr
    assert "energy.py:12: op guarded stands under `if __name__" in done.stderr
    assert "move guarded, and what it uses, above that line" in done.stderr
