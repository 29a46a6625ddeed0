"""mypy --strict and pyright accept a right script, and find what is wrong with a wrong one, line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RIGHT = HERE / "right_workflow.py"
WRONG = HERE / "wrong_workflow.py"

Found = set[tuple[str, int, str]]  # file, line, rule


def expected(checker: str) -> Found:
    """The errors that the wrong script's comments announce."""
    marks: Found = set()
    for i, line in enumerate(WRONG.read_text().splitlines(), 1):
        said = re.search(rf"{checker}: ([\w, -]+)", line.partition("#")[2])
        marks |= {(WRONG.name, i, rule.strip()) for rule in said.group(1).split(",")} if said else set()
    return marks


@pytest.fixture(scope="module")
def mypy() -> Found:
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--no-pretty", str(RIGHT), str(WRONG)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = re.findall(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", done.stdout, flags=re.MULTILINE)
    return {(Path(file).name, int(line), rule) for file, line, rule in lines}


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory) -> Found:
    settings = tmp_path_factory.mktemp("pyright") / "pyrightconfig.json"
    settings.write_text(
        json.dumps(
            {
                "include": [str(RIGHT), str(WRONG)],
                "extraPaths": [str(ROOT)],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                "reportUnknownMemberType": False,  # these two follow from other errors
                "reportUnknownArgumentType": False,
            }
        )
    )
    command = [sys.executable, "-m", "basedpyright", "--project", str(settings), "--outputjson"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    diagnostics = json.loads(done.stdout)["generalDiagnostics"]
    errors = [d for d in diagnostics if d["severity"] == "error"]
    return {(Path(d["file"]).name, d["range"]["start"]["line"] + 1, d["rule"]) for d in errors}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_right_script_is_accepted(checker: str, request: pytest.FixtureRequest) -> None:
    found: Found = request.getfixturevalue(checker)
    assert sorted(e for e in found if e[0] == RIGHT.name) == []


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_mistake_of_a_wrong_script_is_found_in_its_line(checker: str, request: pytest.FixtureRequest) -> None:
    found: Found = request.getfixturevalue(checker)
    assert sorted(e for e in found if e[0] == WRONG.name) == sorted(expected(checker))
