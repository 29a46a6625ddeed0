"""The rules of the code base, checked as tests: layers, types, style, public names, cost of an import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sciflow

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def passes(*argv: str) -> None:
    done = run(*argv)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_down_through_the_layers() -> None:
    passes(str(BIN / "lint-imports"), "--no-cache")


def test_mypy_strict_finds_nothing_in_sciflow_and_ops() -> None:
    passes(str(BIN / "mypy"))


def test_ruff_finds_nothing() -> None:
    passes(str(BIN / "ruff"), "check")


def test_the_code_is_formatted() -> None:
    passes(str(BIN / "ruff"), "format", "--check")


def test_the_public_names_are_these() -> None:
    assert sorted(sciflow.__all__) == [
        "ConfigError", "FatalError", "InvalidInput", "InvalidWorkflow", "MissingExtra", "Op", "Pickled", "Run",
        "RunBusy", "RunError", "RunFailed", "RunInterrupted", "RunNotFound", "SciflowError", "TransientError",
        "Workflow", "adopt", "choose", "command", "contains", "context", "length", "list_runs", "not_", "op",
        "open_run", "secret", "sequence", "suspend", "text", "when", "workflow",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(sciflow.__all__))
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(sciflow, name).__doc__


def imported_by(statement: str) -> set[str]:
    """The packages outside the standard library that a statement brings in, and our own modules."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}


def test_importing_sciflow_imports_nothing_else() -> None:
    assert imported_by("import sciflow") == {"sciflow"}


def test_an_op_module_costs_a_worker_only_our_own_standard_library_modules() -> None:
    assert {name.partition(".")[0] for name in imported_by("from sciflow import op, workflow")} == {"sciflow"}


def test_the_command_line_starts_with_click_alone() -> None:
    assert {name.partition(".")[0] for name in imported_by("import sciflow.cli.main")} == {"sciflow", "click"}


def test_settings_are_read_without_any_package() -> None:
    assert {name.partition(".")[0] for name in imported_by("import sciflow.config")} == {"sciflow"}


def runner_modules() -> list[str]:
    """All but those that are imported only where a value of that package has been met."""
    names = {path.stem for path in (ROOT / "sciflow" / "runner").glob("[a-z]*.py")} - {"arrays", "atoms"}
    return sorted(f"sciflow.runner.{name}" for name in names)


def test_the_runner_is_made_of_the_standard_library() -> None:
    assert {name.partition(".")[0] for name in imported_by("import " + ", ".join(runner_modules()))} == {"sciflow"}
