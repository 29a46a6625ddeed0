"""Programs on Argo, in an image that has no Python: the runner is in a container beside."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from sciflow import RunFailed, command, workflow
from sciflow.executors.argo.manifest.naming import dns_name
from sciflow.executors.argo.manifest.workflow import NAME_LABEL, RUN_LABEL
from tests.contract.argo_place import settle_at_argo
from tests.services.kubernetes.images import TOOL
from tests.services.kubernetes.service import Kubernetes

HOSTILE = ["", "a b", "$(touch x)`id`", "'\"\\", "two\nlines\n\n", "*", "-n", "Ё€", "{{workflow.name}}", "{{=1+1}}", "%s\r\t\x01"]  # fmt: skip # noqa: E501
JOIN = 'cat "$1" - > joined.txt; shift; printf "%s|" "$@"; printf "%s\\n" "$SET" >&2; command -v python3 >&2'


@pytest.fixture(autouse=True)
def argo(kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the executor `argo`."""
    settle_at_argo(kubernetes, tmp_path, monkeypatch, prefix="programs", lost_retries=0)


class Joined(NamedTuple):
    said: str
    file: Path


@command("cat", stdin="text", stdout="result", outputs={"result": "in.txt"}, image=TOOL)
def write(text: str) -> Path: ...  # type: ignore[empty-body]


@command("sh", "-c", JOIN, "sh", "{file}", "{words}", stdin="text", stdout="said", outputs={"file": "joined.txt"},
         image=TOOL, exit_codes=[127], env={"SET": "it's\nset"})  # fmt: skip
def join(file: Path, words: list[str], text: str) -> Joined: ...  # type: ignore[empty-body]


@command("sh", "-c", "echo trouble >&2; exit 3", image=TOOL)
def trouble() -> None: ...


@command("no-such", image=TOOL)
def missing() -> None: ...


@command("sleep", "{seconds}", image=TOOL, timeout_s=1)
def sleep(seconds: float) -> None: ...


@command("true", image="localhost/pause:1")
def without_shell() -> None: ...


@workflow
def joined(words: list[str]) -> Joined:
    return join(write("first\n"), words, "second\n")


@workflow
def failing() -> None:
    trouble()
    missing()
    sleep.options(chunk=2).map(seconds=[60, 0])
    without_shell()


def test_a_program_needs_no_python_in_its_image(kubernetes: Kubernetes) -> None:
    run = joined.run(HOSTILE, on="argo")
    assert run.result.said == "|".join([*HOSTILE, ""])
    assert run.result.file.read_text() == "first\nsecond\n"
    assert run.logs("join").endswith("it's\nset\n")  # that is all: there is no python3
    label = f"{NAME_LABEL}=joined,{RUN_LABEL}={dns_name(run.id)}"
    pods = kubernetes.run("kubectl", "logs", "-n", kubernetes.namespace, "-l", label, "-c", "main", "--tail=-1")
    assert "it's\nset\n" in pods


def test_a_program_that_fails_in_such_an_image_says_how(kubernetes: Kubernetes) -> None:
    run = failing.run(on="argo")
    with pytest.raises(RunFailed):
        _ = run.result
    told = {task.path: task.error.message for task in run.failed_tasks() if task.error is not None}
    assert "ended with exit code 3" in told["trouble"]
    assert "program 'no-such' is not found in the image localhost/sciflow-tool:test" in told["missing"]
    assert "longer than its time limit of 1 s" in told["sleep/0"]
    assert "fix:      take an image that has /bin/sh" in told["without_shell"]
    assert run.logs("trouble") == "trouble\n"
    at_argo = ("kubectl", "-n", kubernetes.namespace, "get", "workflow", dns_name(run.id), "-o")
    said = kubernetes.run(*at_argo, "jsonpath={.status.nodes.*.message}")
    assert "main: Error (exit code 10): trouble: ProgramError: " in said
