"""Runs whose tasks work in containers of podman, and what is left of those that are killed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from sciflow import InvalidWorkflow, command, workflow
from tests.contract.container_ops import look
from tests.services.podman import Podman
from tests.services.processes import soon


@pytest.fixture
def box(tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Podman:
    table = {"type": "container", "engine": "podman", "image": podman.python_image, "look_most_s": 0.5}
    monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({"box": table, "shell": {"type": "batch", "system": "shell"}}))
    monkeypatch.setenv("SCIFLOW_EXECUTOR", "box")
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")
    return podman


BARE = "localhost/sciflow-test-bare:1"


@command("sh", "-c", 'cat "$0"; echo "$WORD" >&2; id -u > owner; cat > copy', "{text}", stdin="given", outputs="copy")
def copied(text: Path, given: str) -> Path: ...


@command("sh", "-c", "exit 3")
def fails() -> None: ...


@command("no-such-program")
def missing() -> None: ...


@command("sleep", "60")
def sleeps() -> None: ...


def test_a_program_needs_no_python_in_its_image(box: Podman, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("from a file\n")

    @workflow
    def flow(text: Path) -> Path:
        return copied.options(image=BARE, env={"WORD": "by name"}, name="copied")(text, "from standard input")

    run = flow.run(text)
    assert run.result.read_text() == "from standard input"
    assert run.logs("copied", stream="out") == "from a file\n"
    assert run.logs("copied", stream="err") == "by name\n"
    assert (run.result.parent / "owner").read_text() == f"{os.getuid()}\n"
    assert run.result.stat().st_uid == os.getuid()


def test_what_a_program_ends_with_is_told(box: Podman) -> None:
    run = fails.options(image=BARE).run()
    assert "exit code 3" in str(run.report())
    run = missing.options(image=BARE).run()
    assert "'no-such-program' is not found in the image" in str(run.report())


def test_a_program_over_its_time_limit_leaves_no_container(box: Podman) -> None:
    began = time.monotonic()
    run = sleeps.options(image=BARE, timeout_s=3).run()
    assert run.phase == "Failed"
    assert "took longer" in str(run.report()) or "time" in str(run.report())
    assert time.monotonic() - began < 45
    assert box.containers() == []


def test_an_element_sees_neither_network_nor_database(box: Podman) -> None:
    assert look.run().result == {"database": 0, "network": "off", "user": os.getuid()}


def test_an_image_without_an_engine_is_refused_before_anything_runs(box: Podman) -> None:
    with pytest.raises(InvalidWorkflow, match="has no container engine"):
        look.options(image=BARE, executor="shell").run()


def test_a_run_that_is_cancelled_leaves_no_container(box: Podman) -> None:
    run = sleeps.options(image=BARE).submit()
    assert soon(box.containers, 30)
    run.cancel()
    run.wait(timeout_s=40)
    assert soon(lambda: not box.containers(), 10)


def test_a_supervisor_that_is_killed_leaves_no_container(box: Podman) -> None:
    run = sleeps.options(image=BARE).submit()
    assert soon(box.containers, 30)
    mark = f"{run.folder}/batches".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        words = _words(entry / "cmdline")
        if any(mark in word for word in words) and {b"keep", b"element"} & set(words):
            os.kill(int(entry.name), signal.SIGKILL)
    assert soon(lambda: not box.containers(), 20)
    run.cancel()
    run.wait(timeout_s=40)


def _words(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().split(b"\0")
    except OSError:
        return []
