"""Manifests of Argo, written by hand, on the embedded engine: here, in containers, and with the outcome of Argo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.kubernetes.service import Kubernetes
from tests.services.podman import Podman

SLOW = pytest.mark.skipif(not os.environ.get("SCIFLOW_TEST_SLOW"), reason="takes minutes: SCIFLOW_TEST_SLOW=1")
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


FILES = {
    "word": 'one "word"',
    "absent": "nothing",
    "seen": 'from the arguments\nsaid to one "word"\nown one "word"\n1\n2\none "word"',
    "each": '["item a","item b"]',
}


PLAIN = {
    "bottom": 'hello. left., hello. "right" $(date)..',
    "items": r'["\u003c1\u003e","\u003ctwo\u003e","\u003ctrue\u003e","\u003c1.5\u003e"]',
    "maps": '["x-1","true-hello"]',
    "doubled": "[2,4,6]",
    "odd": '["odd 1 of [1, 2, 3]","odd 3 of [1, 2, 3]"]',
    "counted": '["5","6","7"]',
    "formatted": '["n02","n01","n00"]',
    "coin": "it was heads.",
    "either": "either.",
    "mended": "mended after Failed.",
    "nested": "inside hello.?",
}


def test_files_go_between_templates_in_containers(in_podman: Callable[..., Told], podman: Podman) -> None:
    result = in_podman("files.yaml", "-p", f"image={podman.bare_image}")["result"]
    assert Path(result.pop("file")).read_text() == "from the arguments\n"
    assert result == FILES


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("files.yaml", [], FILES),
        pytest.param("plain.yaml", ["-p", "greeting=hello"], PLAIN, marks=SLOW),
    ],
)
def test_argo_itself_comes_to_the_same(kubernetes: Kubernetes, name: str, arguments: list[str], expected: Told) -> None:
    place = ("-n", kubernetes.namespace)
    image = f"image={kubernetes.tool_image}"
    argv = ("argo", "submit", *place, str(MANIFESTS / name), "-p", image, *arguments, "-o", "name")
    workflow = kubernetes.run(*argv)
    try:
        kubernetes.run("argo", "wait", *place, workflow, timeout_s=800, check=False)
        status = json.loads(kubernetes.run("argo", "get", *place, workflow, "-o", "json"))["status"]
        assert status["phase"] == "Succeeded"
        outputs = status["nodes"][workflow]["outputs"]["parameters"]
        assert {one["name"]: one["value"] for one in outputs} == expected
    finally:
        kubernetes.run("argo", "delete", *place, workflow)


def test_a_manifest_without_files_runs_on_this_machine_itself_where_that_is_said(
    run: Callable[..., Told], tmp_path: Path
) -> None:
    told = run("plain.yaml", "--on", "local", "-p", "greeting=hello")
    assert told["result"] == PLAIN
    printed = sciflow(tmp_path, "logs", "last", "on-exit/bye/note", "--stream", "out").stdout
    assert printed == "plain Succeeded hello.\n"


def test_it_is_never_chosen_by_itself(tmp_path: Path) -> None:
    done = sciflow(tmp_path, "run", str(MANIFESTS / "plain.yaml"), code=2)
    assert "run in containers, and the executor local has none" in done.stderr


def test_what_is_for_argo_alone_is_refused_of_what_argo_can_do_itself(tmp_path: Path) -> None:
    file = str(MANIFESTS / "plain.yaml")
    assert "top" in sciflow(tmp_path, "graph", file).stdout
    for arguments in (("graph", file, "--format", "argo"), ("deploy", file)):
        assert "is a manifest of Argo already" in sciflow(tmp_path, *arguments, code=2).stderr


def test_a_value_that_is_none_of_a_parameters_choices_is_refused(tmp_path: Path) -> None:
    done = sciflow(tmp_path, "run", str(MANIFESTS / "plain.yaml"), "--on", "local", "-p", "greeting=bye", code=2)
    assert "greeting" in done.stderr


def test_a_run_waits_for_an_answer_and_fails_by_argos_rules(tmp_path: Path) -> None:
    counter, file = tmp_path / "count", str(MANIFESTS / "failing.yaml")
    sciflow(tmp_path, "run", file, "--on", "local", "--file", str(counter), "--times", "1", code=130)
    assert counter.read_text() == "x\nx\n"
    assert "YES" in sciflow(tmp_path, "resume", "last", "--value", '{"answer": "MAYBE"}', code=2).stderr
    shown = sciflow(tmp_path, "resume", "last", "--value", '{"answer": "YES"}', code=1)
    assert "was left out" in shown.stdout + shown.stderr
    for task, printed in {"after": "YES\n", "looks": "seen\n", "on-exit/bye": "Failed 1\n"}.items():
        assert sciflow(tmp_path, "logs", "last", task, "--stream", "out").stdout == printed
    assert "skipped" in sciflow(tmp_path, "show", "last").stdout


def sciflow(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The command line in a folder."""
    surroundings = {**os.environ, "SCIFLOW_RUNS": str(folder / "runs"), "SCIFLOW_PROGRESS": "false"}
    argv = [sys.executable, "-m", "sciflow", *arguments]
    done = subprocess.run(argv, env=surroundings, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done
