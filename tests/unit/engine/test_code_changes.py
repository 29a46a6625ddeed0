"""What a retry makes of code that was edited since the run began."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from sciflow import op, workflow

FACTOR = 1
BUG = True

@op(cache=True)
def scaled(x: int) -> int:
    return x * FACTOR

@op(cache=True)
def total(xs: list[int]) -> int:
    if BUG:
        raise ValueError("bug")
    return sum(xs)

@workflow
def w(xs: list[int]) -> int:
    return total(scaled.map(x=xs))
"""


def sciflow(folder: Path, *argv: str) -> str:
    argv = (sys.executable, "-m", "sciflow", *argv)
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False).stdout


def edit(folder: Path, before: str, after: str) -> None:
    script = folder / "w.py"
    text = script.read_text()
    assert before in text
    script.write_text(text.replace(before, after))


def test_a_retry_runs_the_code_as_it_is_now_and_caches_it_under_what_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text(SCRIPT)
    assert json.loads(sciflow(tmp_path, "run", "w.py:w", "--xs", "[1, 2]", "--json"))["phase"] == "Failed"
    edit(tmp_path, "BUG = True", "BUG = False")
    again = json.loads(sciflow(tmp_path, "retry", "last", "--json"))
    assert (again["phase"], again["result"]) == ("Succeeded", 3)
    cached = json.loads(sciflow(tmp_path, "run", "w.py:w", "--xs", "[1, 2]", "--json"))
    assert cached["result"] == 3
    assert "its outcome was taken from" in sciflow(tmp_path, "explain", "last", "total")
    edit(tmp_path, "BUG = False", "BUG = True")
    assert json.loads(sciflow(tmp_path, "run", "w.py:w", "--xs", "[1, 2]", "--json"))["phase"] == "Failed"


def test_explain_names_the_constant_that_was_edited(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text(SCRIPT.replace("BUG = True", "BUG = False"))
    sciflow(tmp_path, "run", "w.py:w", "--xs", "[1, 2]")
    edit(tmp_path, "FACTOR = 1", "FACTOR = 2")
    sciflow(tmp_path, "run", "w.py:w", "--xs", "[1, 2]")
    assert "FACTOR changed" in sciflow(tmp_path, "explain", "last", "scaled/0")


def test_a_module_that_was_edited_within_the_second_it_was_compiled_in_is_run_as_it_is_now(tmp_path: Path) -> None:
    module, script = tmp_path / "mod.py", tmp_path / "script.py"
    module.write_text("from sciflow import op\n\n@op\ndef f(x: int) -> int:\n    return x * 1\n")
    script.write_text("import mod\n\nif __name__ == '__main__':\n    print(mod.f.run(7).result)\n")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run() -> str:
        argv = [sys.executable, str(script)]
        return subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True).stdout

    assert run() == "7\n"
    (compiled,) = (tmp_path / "__pycache__").glob("mod.*.pyc")
    second = module.stat().st_mtime_ns // 10**9 * 10**9
    module.write_text(module.read_text().replace("x * 1", "x * 9"))
    os.utime(compiled, ns=(second, second + 1000))
    os.utime(module, ns=(second, second + 2000))
    assert run() == "63\n"
