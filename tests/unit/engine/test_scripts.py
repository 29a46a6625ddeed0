"""Scripts as people write them, without a guard around the call that starts the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
