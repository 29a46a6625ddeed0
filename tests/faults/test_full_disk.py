"""A disk of a few megabytes that is full: a clear message, all that was recorded is kept, with room the run goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import sciflow
from sciflow import SciflowError
from tests.faults.harness import NEEDS_LINUX, NEEDS_ROOT, Bench, Record, eventually
from tests.faults.programs import kills, trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX, NEEDS_ROOT]


@dataclass(frozen=True)
class Disk:
    """A small disk."""

    place: Path

    def fill(self, *, spare: int = 0) -> None:
        """Takes all room but `spare` bytes."""
        free = os.statvfs(self.place)
        with (self.place / "ballast").open("ab", buffering=0) as ballast:
            left = free.f_bavail * free.f_frsize - spare
            try:
                while left > 0:
                    left -= ballast.write(b"\0" * min(left, 65536))
            except OSError:
                return

    def make_room(self) -> None:
        (self.place / "ballast").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=64m", self.place], check=True)


@pytest.fixture
def disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    place = bench.folder / "disk"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place]
    mounted = subprocess.run(argv, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr}")
    monkeypatch.setenv("SCIFLOW_RUNS", str(place))
    monkeypatch.setenv("SCIFLOW_FULL_DISK_WAIT_S", "0.3")
    yield Disk(place)
    bench.processes.end()
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_disk_that_fills_up_under_the_records_ends_the_engine_and_loses_nothing(bench: Bench, disk: Disk) -> None:
    run = trouble.many_rows.submit(xs=list(range(600)), text="x" * 1500)
    assert eventually(lambda: len(Record.of(run.folder).tasks) > 20)
    disk.fill()
    assert bench.processes.gone(30), bench.processes.all()
    before, tally = Record.of(run.folder), bench.tally.read()
    assert run.phase == "Error"
    told = run.snapshot().message + (run.folder / "logs" / "engine.log").read_text()
    assert "Traceback" not in told
    disk.make_room()
    run.resume()
    assert run.result == 600
    after = Record.of(run.folder).tasks
    assert {path: after[path] for path in before.tasks} == before.tasks
    again = bench.tally.read()
    assert {path: again[path] for path in before.tasks} == {path: tally[path] for path in before.tasks}


def test_an_engine_waits_for_room_and_goes_on_as_if_nothing_had_been(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIFLOW_FULL_DISK_WAIT_S", "60")
    run = trouble.many_rows.submit(xs=list(range(600)), text="x" * 1500)
    assert eventually(lambda: len(Record.of(run.folder).tasks) > 20)
    disk.fill()
    time.sleep(1.5)
    assert len(Record.of(run.folder).tasks) < 600
    assert run.running
    assert run.snapshot().message == "the disk is full: waits for room"
    disk.make_room()
    assert run.result == 600
    assert set(bench.tally.read().values()) == {1}
    assert Record.of(run.folder).attempts == 0
    said = (run.folder / "logs" / "engine.log").read_text()
    assert "sciflow: the run goes on" in said


def test_an_engine_that_begins_on_a_full_disk_waits_for_room_which_is_shown(
    bench: Bench, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIFLOW_FULL_DISK_WAIT_S", "60")
    run = trouble.say_much.run(megabytes=0, newline=True, fail=True)
    before = Record.of(run.folder).attempts
    disk.fill()
    run.detach(reopen=True)
    assert eventually(lambda: run.snapshot().message == "the disk is full: waits for room")
    assert run.running
    disk.make_room()
    assert eventually(lambda: Record.of(run.folder).attempts > before and run.phase == "Failed" and not run.running)
    assert "Traceback" not in (run.folder / "logs" / "engine.log").read_text()


def test_a_run_that_cannot_begin_again_for_want_of_room_says_so(bench: Bench, disk: Disk) -> None:
    run = trouble.say_much.run(megabytes=0, newline=True, fail=True)
    disk.fill()
    with pytest.raises(SciflowError, match="the disk is full: make room on the disk, then `sciflow resume`"):
        run.retry(detach=True)
    assert bench.processes.gone(30)
    assert "Traceback" not in (run.folder / "logs" / "engine.log").read_text()


def test_a_script_that_waits_for_room_says_so_and_can_be_interrupted(bench: Bench, disk: Disk) -> None:
    text = """
import os, signal, threading
from tests.faults.programs import trouble

def interrupt_when_it_waits():
    while b"waits for room" not in open("told", "rb").read():
        pass
    os.kill(os.getpid(), signal.SIGINT)

os.environ["SCIFLOW_FULL_DISK_WAIT_S"] = "60"
os.dup2(os.open("told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
threading.Thread(target=interrupt_when_it_waits, daemon=True).start()
trouble.many_rows.run(xs=list(range(1500)), text="x" * 4000)
"""
    began = time.monotonic()
    done = bench.script(text)
    assert done.returncode != 0
    assert time.monotonic() - began < 40
    said = (bench.folder / "told").read_text()
    assert "waits for room, 60 s at most" in said
    assert "make room on the disk, then `sciflow resume`" in said
    disk.make_room()
    run = sciflow.open_run("last")
    run.resume(detach=False)
    assert run.result == 1500


def test_a_script_whose_disk_is_full_is_told_what_to_do(bench: Bench, disk: Disk) -> None:
    text = """
from tests.faults.programs import trouble
trouble.many_rows.run(xs=list(range(1500)), text="x" * 4000)
"""
    done = bench.script(text)
    assert done.returncode == 1
    assert "make room on the disk, then `sciflow resume`" in done.stderr.strip().splitlines()[-1], done.stderr
    run = sciflow.open_run("last")
    assert run.phase == "Error"
    disk.make_room()
    run.resume(detach=False)
    assert run.result == 1500


def test_an_output_for_which_there_is_no_room_is_told_of_and_the_run_goes_on_later(bench: Bench, disk: Disk) -> None:
    run, told = _run_into_the_end_of_the_disk(trouble.big_files.options(workers=1), xs=[0], megabytes=8)
    if not told:
        assert {task.path: task.phase for task in run.failed_tasks()} == {"big_file/0": "Error"}
        assert "No space left" in run.errors[0].message
    _go_on_with_room(run, disk)
    assert run.result == [8 * 2**20]


def _run_into_the_end_of_the_disk(workflow: sciflow.Workflow[..., Any], **inputs: Any) -> tuple[sciflow.Run[Any], str]:
    """The run, and what its engine said if it came upon the full disk before the op did."""
    told = ""
    try:
        workflow.run(**inputs)
    except SciflowError as error:
        told = str(error)
    assert not told or "make room" in told
    return sciflow.open_run("last"), told


def _go_on_with_room(run: sciflow.Run[Any], disk: Disk) -> None:
    disk.make_room()
    if run.phase == "Failed":
        run.retry(detach=False)
    else:
        assert run.phase == "Error"
        run.resume(detach=False)


def test_a_value_for_which_there_is_no_room_is_told_of_and_the_run_goes_on_later(bench: Bench, disk: Disk) -> None:
    run, told = _run_into_the_end_of_the_disk(kills.large_values, xs=list(range(1000)))
    if not told:
        assert run.phase == "Failed"
        assert all("No space left" in error.message for error in run.errors)
    before = {path: end for path, end in Record.of(run.folder).tasks.items() if end.phase == 2}
    _go_on_with_room(run, disk)
    assert run.result == sum(x * 1000 + i for x in range(1000) for i in range(1500))
    after = Record.of(run.folder).tasks
    assert {path: after[path] for path in before} == before


def test_a_log_for_which_there_is_no_room_is_told_of_and_the_run_goes_on_later(bench: Bench, disk: Disk) -> None:
    run, _ = _run_into_the_end_of_the_disk(trouble.say_much, megabytes=8, newline=True, fail=False)
    _go_on_with_room(run, disk)
    assert run.result == 8
    assert len(run.logs("chatter")) >= 8 * 2**20


def test_a_run_for_which_there_is_no_room_is_not_begun(bench: Bench, disk: Disk) -> None:
    disk.fill()
    with pytest.raises(SciflowError, match=r"(?i)no space|full"):
        kills.chain.run(x=1)
    disk.make_room()
    assert kills.chain.run(x=1).phase == "Succeeded"
    assert len(sciflow.list_runs()) == 1


def test_an_op_that_may_write_small_files_only_fails_alone(bench: Bench) -> None:
    text = """
import resource, signal
from tests.faults.programs import trouble
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))
run = trouble.big_files.run(xs=[0, 1], megabytes=4)
print(run.phase.value, [error.message for error in run.errors])
"""
    done = bench.script(text)
    assert done.stdout.startswith("Failed"), done.stderr
    assert "File too large" in done.stdout
