"""Runs on a machine without a batch system that has a folder of its own for runs, as one that SSH reaches has."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from sciflow.core.graph import Resources
from sciflow.errors import HostError, RunDamaged, RunError
from sciflow.executors.batch.depot import LARGE, Depot
from sciflow.executors.batch.load import Load
from sciflow.executors.batch.news import Send
from sciflow.executors.batch.record import BatchRecord
from sciflow.executors.batch.supply import Supplier, Supply
from sciflow.executors.request import Surroundings
from sciflow.executors.systems.system import Site, Submission
from sciflow.executors.transports.local import LocalTransport
from sciflow.executors.transports.transport import Output
from sciflow.runner.hashing import file_hash
from tests.unit.executors import flow_of_machine as flow

NAME = "machine"


@pytest.fixture(autouse=True)
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has runs go to the machine, with these settings beside the usual ones."""
    monkeypatch.setenv("SCIFLOW_EXECUTOR", NAME)
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SCIFLOW_PROGRESS", "false")
    (tmp_path / "signs").mkdir()

    def write(**more: object) -> None:
        table = {
            "type": "batch",
            "system": "shell",
            "work_root": str(tmp_path / "there"),
            "python": sys.executable,
            "look_least_s": 0.05,
            "look_most_s": 0.2,
            "settings": {"signs": str(tmp_path / "signs")},
            **more,
        }
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({NAME: table}))

    write()
    return write


def eventually(holds: Callable[[], object], timeout_s: float = 60.0) -> bool:
    end = time.monotonic() + timeout_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(holds())


def test_a_run_that_has_ended_holds_no_descriptor_of_its_executors() -> None:
    assert flow.squares.run([1, 2]).result == [1, 4]  # what is opened once for a process is open from now on
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert flow.squares.run([3, 4]).result == [9, 16]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_what_is_sent_to_a_host_shows_no_secret_when_it_is_printed(tmp_path: Path) -> None:
    submission = Submission(
        name="a", folder="", elements=1, resources=Resources(), site=Site(), command=(), secrets=("SCIFLOW_SECRET_0",)
    )
    around = Surroundings(sys_path=(), argv=(), main=None, host={}, inline_bytes=4096, at=NAME)
    send = Send(
        record=BatchRecord(name="a", executor=NAME),
        submission=submission,
        load=Load(
            supplier=Supplier(tmp_path, at=NAME, batches=frozenset()),
            elements=(),
            around=around,
            env={},
            gpus=0,
            walltime_s=None,
            numbered=False,
        ),
        code={},
        secrets={"SCIFLOW_SECRET_0": "hunter2"},
    )
    assert "SCIFLOW_SECRET_0" in repr(send)
    assert "hunter2" not in repr(send)


def test_a_task_whose_reply_is_damaged_fails_alone_and_says_where_and_can_be_retried(
    configure: Callable[..., None], tmp_path: Path
) -> None:
    configure(elements=1)
    run = flow.torn_squares.run([0, 1, 2])
    assert run.phase == "Failed"
    (failed,) = run.failed_tasks()
    assert failed.path == "torn/1"
    assert failed.error is not None
    assert "what the job has written there is damaged" in failed.error.message
    assert "/taken/0" in failed.error.message
    (tmp_path / "signs" / "mended").touch()
    run.retry(detach=False)
    assert run.result == [0, 1, 4]
    tally = Counter((tmp_path / "signs" / "tally").read_text().split())
    assert tally == {"torn/0": 1, "torn/1": 2, "torn/2": 1}


@pytest.mark.parametrize("verb", ["survey", "submit", "missing", "boot"])
def test_a_run_waits_while_a_host_answers_what_makes_no_sense(
    configure: Callable[..., None], tmp_path: Path, verb: str
) -> None:
    noisy, python = tmp_path / "signs" / "noisy", tmp_path / "python-of-the-site"
    noisy.touch()
    words = "-c" if verb == "boot" else f"host {verb}"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *"{words}"*) [ -e {noisy} ] && echo "{{Lmod: hello";; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    configure(python=str(python))
    run = flow.squares.submit([1, 2])
    assert eventually(lambda: "cannot be read" in run.snapshot().message), run.snapshot().message
    assert "Lmod: hello" in run.snapshot().message
    noisy.unlink()
    assert run.wait(timeout_s=60) == "Succeeded"
    assert run.result == [1, 4]


class Unlawful:
    """A way to a machine that fails as none may."""

    name = "nowhere"

    def run(self, argv: Sequence[str], *, stdin: bytes | Iterable[bytes] = b"", timeout_s: float) -> Output:
        raise ZeroDivisionError(argv[0], stdin, timeout_s)

    def put(self, source: Path, target: str, *, timeout_s: float) -> None:
        raise NotImplementedError

    def get(self, source: str, target: Path, *, timeout_s: float) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_whatever_ends_the_thread_that_speaks_with_a_host_ends_the_run_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sciflow.executors.batch.making.make_transport", lambda _: Unlawful())
    with pytest.raises(HostError, match="what looks after its jobs has ended: ZeroDivisionError"):
        flow.squares.run([1, 2])


def test_a_file_that_is_gone_from_the_host_fails_the_task_that_needs_it_and_no_other(tmp_path: Path) -> None:
    run = flow.measured.run([1, 2, 3])
    assert {task.path: task.phase for task in run.tasks("measure")} == {
        "measure/0": "Succeeded",
        "measure/1": "Error",
        "measure/2": "Succeeded",
    }
    (failed,) = run.failed_tasks()
    assert failed.error is not None
    for words in ("measure/1 needs tasks/leave/1/", f"local: {tmp_path}/there/runs/{run.id}/tasks/leave/1/"):
        assert words in failed.error.message
    assert f"sciflow resubmit {run.id}" in failed.error.message
    with pytest.raises(RunError, match="No such file or directory"):
        run.output("leave")
    found = re.search(r"needs (\S+),", failed.error.message)
    assert found is not None
    back = run.folder / found.group(1)
    back.parent.mkdir(parents=True, exist_ok=True)
    back.write_text("xx")
    run.retry(detach=False)
    assert run.result == [4, 5, 6]


@pytest.mark.timeout(100)
def test_inputs_are_sent_without_a_copy_of_them_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, temporary = tmp_path / "given", tmp_path / "temporary"
    given.mkdir()
    temporary.mkdir()
    for number in range(40):
        (given / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, limit[1]))  # no file that is written may be larger
    try:
        assert flow.counted.run(given).result == 40 << 20
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("size", [LARGE, 1000])
def test_an_input_that_was_changed_in_the_run_is_not_taken_for_what_it_was(size: int, tmp_path: Path) -> None:
    source = tmp_path / "input.bin"
    with source.open("wb") as file:
        file.truncate(size)
    sha256, _ = file_hash(str(source))
    with source.open("r+b") as file:
        file.write(b"changed")
    depot = Depot(LocalTransport(), work_root=str(tmp_path / "depot"), python=sys.executable)
    depot.prepare()
    supply = Supply()
    supply.add(sha256, source, "artifacts/input.bin")
    with pytest.raises(RunDamaged, match=r"input\.bin was changed after its content was recorded"):
        depot.supply(f"{depot.root}/runs/one", supply, {}, {})
    assert list((tmp_path / "depot" / "blobs").iterdir()) == []


@pytest.mark.timeout(100)
def test_the_engine_goes_on_while_what_a_job_needs_is_read(tmp_path: Path) -> None:
    sign = tmp_path / "signs" / "pipe"
    run = flow.clogged.submit(str(sign))
    try:
        assert eventually(lambda: "tick-2" in {task.path for task in run.tasks(phase="Succeeded")}), run.report()
        assert run.phase == "Running"
    finally:
        pipe = Path(sign.read_text())
        writer = os.open(pipe, os.O_WRONLY)  # somebody reads it
        pipe.unlink()
        os.close(writer)
    assert run.wait(timeout_s=60) == "Failed"
    (failed,) = run.failed_tasks()
    assert failed.path == "count_after"
    assert failed.error is not None
    assert f"{pipe}: No such file or directory: a job needs it" in failed.error.message


def test_of_what_was_sent_before_a_break_nothing_is_sent_again(configure: Callable[..., None], tmp_path: Path) -> None:
    given, python = tmp_path / "given", tmp_path / "python-of-the-site"
    torn, second = tmp_path / "signs" / "torn", tmp_path / "signs" / "second"
    given.mkdir()
    for number in range(6):
        (given / f"{number}.bin").write_bytes(os.urandom(1 << 20))
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *"host unpack"*)\n'
        f'  if [ -e {torn} ]; then tee {second} | {sys.executable} "$@"; exit; fi\n'
        f'  touch {torn}; head -c 4000000 | {sys.executable} "$@"; exit;;\n'
        f'esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    configure(python=str(python))
    assert flow.counted.run(given).result == 6 << 20
    assert 3 << 20 < second.stat().st_size < 4 << 20  # three files came the first time
