"""Manifests of Argo, written by hand, on the embedded engine: on this machine itself, in containers, and as Argo does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.podman import Podman

MANIFESTS = Path(__file__).parents[1] / "manifests"
Told = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Told]:
    """`sciflow run MANIFEST ...` to its end: what it prints as JSON."""

    def call(name: str, *arguments: str, code: int = 0, **env: str) -> Told:
        argv = [sys.executable, "-m", "sciflow", "run", str(MANIFESTS / name), "--json", "--no-progress", *arguments]
        surroundings = {**os.environ, "SCIFLOW_RUNS": str(tmp_path / "runs"), **env}
        done = subprocess.run(argv, env=surroundings, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        told: Told = json.loads(done.stdout)
        return told

    return call


@pytest.fixture
def in_podman(podman: Podman, run: Callable[..., Told]) -> Callable[..., Told]:
    table = {"type": "container", "engine": "podman", "look_most_s": 0.5}

    def call(name: str, *arguments: str, **more: Any) -> Told:
        return run(name, "--on", "box", *arguments, SCIFLOW_EXECUTORS=json.dumps({"box": table}), **podman.env, **more)

    return call


def test_files_go_between_templates_in_containers(in_podman: Callable[..., Told], podman: Podman) -> None:
    told = in_podman("files.yaml", "-p", f"image={podman.bare_image}")
    result = told["result"]
    assert Path(result.pop("file")).read_text() == "from the arguments\n"
    assert result == {
        "word": 'one "word"',
        "absent": "nothing",
        "seen": 'from the arguments\nsaid to one "word"\nown one "word"\n1\n2\none "word"',
        "each": '["item a","item b"]',
    }
