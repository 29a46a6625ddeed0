"""Scripts as people write them, without a guard around the call that starts the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sciflow import open_run

OP = """
from sciflow import op, workflow

@op
def twice(x: int) -> int:
    return 2 * x

@workflow
def doubled(xs: list[int]) -> list[int]:
    return twice.map(x=xs)
"""


def python(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)


def test_a_script_that_starts_its_run_at_the_top_level_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(OP + "run = doubled.run(xs=[1, 2])\nprint('result', run.result)\n")
    done = python(tmp_path, "script.py")
    assert done.stdout.splitlines() == ["result [2, 4]"], done.stderr
    assert len([entry for entry in (tmp_path / "runs").iterdir() if entry.is_dir()]) == 1


def test_a_module_that_starts_a_run_while_it_is_imported_is_told_to_use_a_guard(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text(OP + "run = doubled.run(xs=[1])\n")
    (tmp_path / "script.py").write_text("import mod\nprint(mod.run.report())\n")
    done = python(tmp_path, "script.py")
    assert "module mod starts a run while it is imported" in done.stdout, done.stderr
    assert 'if __name__ == "__main__"' in done.stdout


EDITED = """
import os, time
from pathlib import Path
from sciflow import op, workflow

K = 1

@op
def wait(flag: str) -> int:
    until = time.monotonic() + 60
    while not Path(flag).exists() and time.monotonic() < until:
        time.sleep(0.02)
    return 0

@op
def add(x: int, pid: int) -> int:
    time.sleep(0.3)
    return x + K

@workflow
def edited(xs: list[int], flag: str) -> list[int]:
    return add.partial(pid=wait(flag)).map(x=xs)

if __name__ == "__main__":
    print(edited.options(workers=2).submit([0, 10, 20, 30], str(Path("flag").absolute())).id)
"""


def test_a_script_that_is_edited_while_its_run_goes_on_is_run_as_it_was(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(EDITED)
    started = python(tmp_path, "script.py")
    script.write_text(EDITED.replace("K = 1", "K = 1000"))
    (tmp_path / "flag").touch()
    run = open_run(tmp_path / "runs" / started.stdout.strip())
    assert run.wait(60).value == "Succeeded", run.report()
    assert run.result == [1, 11, 21, 31]
