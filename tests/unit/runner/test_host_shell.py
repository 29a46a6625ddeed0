"""The queue of a machine without a batch system, spoken to as the engine does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_driver import PYTHONS, Node, wait_until

from tests.faults.harness import NEEDS_ROOT


@pytest.fixture(params=list(PYTHONS))
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    python = PYTHONS[request.param]
    if python is None:
        pytest.skip("no Python 3.9 or 3.10 is installed here")
    node = Node(tmp_path, python)
    yield node
    jobs = node.work_root / "shell" / "jobs"
    ids = [path.name for path in jobs.iterdir()] if jobs.exists() else []
    if ids:
        node.shell("cancel", *ids)


def runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def script(node: Node, body: str, **directives: object) -> str:
    node.batches += 1
    folder = node.root / "batches" / f"s{node.batches}"
    folder.mkdir(parents=True)
    lines = ["#!/bin/bash", *(f"#SHELL {word}={value}" for word, value in directives.items()), "", body]
    (folder / "script.sh").write_text("\n".join(lines) + "\n")
    return str(folder / "script.sh")


def submitted(node: Node, body: str, **directives: object) -> tuple[str, Path]:
    path = script(node, body, **directives)
    return node.shell("submit", path).strip(), Path(path).parent


def states(node: Node, job: str) -> list[str]:
    return [state for _, state in sorted(node.listed(job).items())]


LOGGED = "echo begin >> log; sleep 0.4; echo end >> log"


def most_at_once(log: Path) -> int:
    running = most = 0
    for line in log.read_text().split():
        running += 1 if line == "begin" else -1
        most = max(most, running)
    return most


def test_elements_run_each_with_its_number_and_their_output_is_kept(node: Node) -> None:
    job, folder = submitted(node, "echo $SCIFLOW_ELEMENT; test $SCIFLOW_ELEMENT != 1", elements=3, slots=2, name="n")
    wait_until(lambda: not node.listed())
    assert states(node, job) == ["succeeded", "failed", "succeeded"]
    assert [(folder / "out" / str(k)).read_text() for k in range(3)] == ["0\n", "1\n", "2\n"]


def test_no_more_run_at_once_than_there_are_slots_over_all_jobs(node: Node) -> None:
    log = node.root / "log"
    body = LOGGED.replace("log", str(log))
    for _ in range(2):
        submitted(node, body, elements=3, slots=2)
    wait_until(lambda: log.exists() and log.read_text().count("end") == 6, 30)
    assert most_at_once(log) == 2


def test_an_element_takes_as_many_slots_as_it_has_cores(node: Node) -> None:
    _, folder = submitted(node, LOGGED, elements=3, slots=3, cores=2)
    wait_until(lambda: not node.listed(), 30)
    assert most_at_once(folder / "log") == 1


def test_a_throttle_holds_for_one_job(node: Node) -> None:
    _, folder = submitted(node, LOGGED, elements=3, slots=8, throttle=1)
    wait_until(lambda: not node.listed(), 30)
    assert most_at_once(folder / "log") == 1


def test_the_one_who_submits_is_not_kept_waiting(node: Node) -> None:
    began = time.monotonic()
    submitted(node, "sleep 30", elements=1, slots=1)
    assert time.monotonic() - began < 10


def test_cancelled_elements_end_with_all_their_processes(node: Node) -> None:
    body = "setsid sleep 77 & echo $! > pid$SCIFLOW_ELEMENT; sleep 78"
    job, folder = submitted(node, body, elements=4, slots=2)
    wait_until(lambda: (folder / "pid0").exists() and (folder / "pid0").read_text().strip())
    pid = (folder / "pid0").read_text().strip()
    node.shell("cancel", f"{job}:0,3")
    assert not runs(pid)
    wait_until(lambda: states(node, job) == ["cancelled", "running", "running", "cancelled"])
    node.shell("cancel", job)
    wait_until(lambda: states(node, job) == ["cancelled"] * 4)
    assert node.listed() == {}
    node.shell("cancel", job, "999")  # those that have ended, or never were, are no error


def test_a_supervisor_that_is_killed_loses_nothing(node: Node) -> None:
    log = node.root / "log"
    job, _ = submitted(node, f"sleep 1; echo $SCIFLOW_ELEMENT >> {log}", elements=3, slots=1)
    wait_until(lambda: "running" in states(node, job))
    os.kill(int((node.work_root / "shell" / "jobs" / job / "supervisor").read_text()), signal.SIGKILL)
    assert states(node, job) == ["running", "queued", "queued"]
    wait_until(lambda: not node.listed() or set(node.listed().values()) == {"unknown"}, 30)
    assert log.read_text() == "0\n1\n2\n"


def test_an_element_that_is_gone_without_a_mark_is_unknown_and_not_running(node: Node) -> None:
    job, folder = submitted(node, "echo $$ > pid; touch done/x; sleep 70", elements=1, slots=1)
    wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip())
    os.kill(int((node.work_root / "shell" / "jobs" / job / "supervisor").read_text()), signal.SIGKILL)
    os.killpg(int((folder / "pid").read_text()), signal.SIGKILL)
    wait_until(lambda: node.listed() == {(job, 0): "unknown"})
    (folder / "done").mkdir()
    (folder / "done" / "0").touch()
    assert node.listed() == {}
    assert states(node, job) == ["succeeded"]


def test_an_element_that_runs_too_long_is_ended(node: Node) -> None:
    job, _ = submitted(node, "sleep 80", elements=1, slots=1, walltime_s=1)
    wait_until(lambda: states(node, job) == ["time limit"], 30)


def test_a_script_that_says_nothing_of_its_elements_is_refused(node: Node) -> None:
    argv = [*node.argv, "host", "shell", "submit", str(node.work_root), script(node, "true")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "elements" in done.stderr


@pytest.fixture
def small_disk(node: Node) -> Iterator[Path]:
    """Where the queue is kept, of a few megabytes."""
    place = node.work_root / "shell"
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@NEEDS_ROOT
def test_an_element_whose_start_could_not_be_written_down_is_not_started_again_while_it_runs(
    node: Node, small_disk: Path
) -> None:
    signs = node.root
    before, _ = submitted(node, f"while [ ! -e {signs}/free ]; do sleep 0.05; done", elements=1, cores=2, slots=2)
    wait_until(lambda: states(node, before) == ["running"])
    wait = f"while [ ! -e {signs}/end ]; do sleep 0.05; done"
    body = f"echo $SCIFLOW_ELEMENT >> {signs}/began; {wait}; mkdir -p done; touch done/$SCIFLOW_ELEMENT"
    job, _ = submitted(node, body, elements=2, slots=2)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    (signs / "free").touch()
    began = signs / "began"
    wait_until(began.exists)
    for _ in range(5):  # each of them has somebody start what waits
        states(node, job)
        time.sleep(0.3)
    assert began.read_text() == "0\n"
    ballast.unlink()
    wait_until(lambda: states(node, job) and began.read_text() == "0\n1\n")
    (signs / "end").touch()
    wait_until(lambda: states(node, job) == ["succeeded"] * 2)
    assert began.read_text() == "0\n1\n"
