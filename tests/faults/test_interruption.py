"""Ctrl-C once and twice at a terminal, SIGTERM to a detached engine, a hang-up: orderly, and to be resumed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sciflow
from tests.faults.harness import NEEDS_LINUX, Bench, eventually
from tests.faults.harness import sciflow as cli
from tests.faults.programs import trouble

pytestmark = [pytest.mark.faults, NEEDS_LINUX]

TARGET = "tests.faults.programs.trouble:patiently"
CTRL_C = b"\x03"


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, argv: list[str], cwd: Path) -> None:
        self.shown = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.environ["SCIFLOW_PROGRESS"] = "true"
            os.execv(argv[0], argv)

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def read(self) -> None:
        """Takes what is shown, so that the program need not wait."""
        with contextlib.suppress(OSError):
            while select.select([self._fd], [], [], 0)[0]:
                part = os.read(self._fd, 65536)
                if not part:
                    return
                self.shown += part

    def until(self, holds: object, timeout_s: float = 30) -> bool:
        def look() -> bool:
            self.read()
            return bool(holds())  # type: ignore[operator]

        return eventually(look, timeout_s=timeout_s)

    def exit_code(self, timeout_s: float = 30) -> int:
        ended = []

        def has_ended() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            ended.append(status)
            return pid != 0

        assert self.until(has_ended, timeout_s), f"it does not end; it shows {self.shown!r}"
        self.read()
        os.close(self._fd)
        return os.waitstatus_to_exitcode(ended[-1])


@pytest.fixture
def terminal(bench: Bench) -> Iterator[Terminal]:
    program = Path(sys.executable).with_name("sciflow")
    made = Terminal([str(program), "run", TARGET, "--xs", "[0,1,2,3,4,5]"], bench.folder)
    assert made.until(lambda: bench.tally.read().total() == 2), made.shown
    yield made
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(made.pid, signal.SIGKILL)
        os.waitpid(made.pid, 0)


def test_ctrl_c_once_lets_what_runs_end_and_the_run_can_be_resumed(bench: Bench, terminal: Terminal) -> None:
    terminal.type(CTRL_C)
    terminal.until(lambda: False, timeout_s=0.5)
    assert len(bench.processes.workers()) == 2, "what runs is let end"
    bench.let_go_on()
    assert terminal.exit_code() == 130
    assert b"sciflow resume" in terminal.shown
    assert b"Traceback" not in terminal.shown
    run = sciflow.open_run("last")
    assert run.phase == "Suspended"
    assert sorted(task.slice for task in run.tasks(phase="Succeeded")) == [0, 1]
    assert bench.processes.gone(3)
    resumed = cli("resume", "last", cwd=bench.folder)
    assert resumed.returncode == 0, resumed.stderr
    assert run.result == [0, 1, 2, 3, 4, 5]
    assert set(bench.tally.read().values()) == {1}


def test_ctrl_c_twice_kills_what_runs_and_the_run_can_be_resumed(bench: Bench, terminal: Terminal) -> None:
    terminal.type(CTRL_C)
    terminal.until(lambda: False, timeout_s=0.3)
    terminal.type(CTRL_C)
    assert terminal.exit_code(timeout_s=15) == 130
    assert b"sciflow resume" in terminal.shown
    assert b"Traceback" not in terminal.shown
    assert bench.processes.gone(3)
    run = sciflow.open_run("last")
    assert run.phase == "Suspended"
    assert run.tasks(phase="Failed") == run.tasks(phase="Error") == []
    bench.let_go_on()
    resumed = cli("resume", "last", cwd=bench.folder)
    assert resumed.returncode == 0, resumed.stderr
    assert run.result == [0, 1, 2, 3, 4, 5]
    assert dict(bench.tally.read()) == {f"patient/{i}": 2 if i < 2 else 1 for i in range(6)}


def test_ctrl_c_often_does_no_harm(bench: Bench, terminal: Terminal) -> None:
    for _ in range(12):
        with contextlib.suppress(OSError):
            terminal.type(CTRL_C)
        time.sleep(0.03)
    assert terminal.exit_code(timeout_s=15) in (130, -signal.SIGINT)
    assert bench.processes.gone(3)
    bench.let_go_on()
    run = sciflow.open_run("last")
    run.resume(detach=False)
    assert run.result == [0, 1, 2, 3, 4, 5]


def test_a_terminal_that_is_closed_ends_the_run_and_it_can_be_resumed(bench: Bench, terminal: Terminal) -> None:
    os.kill(terminal.pid, signal.SIGHUP)
    terminal.exit_code()
    assert bench.processes.gone(5)
    bench.let_go_on()
    run = sciflow.open_run("last")
    run.resume(detach=False)
    assert run.result == [0, 1, 2, 3, 4, 5]


def test_a_script_is_told_by_an_exception(bench: Bench) -> None:
    text = """
import os, signal, threading
from sciflow import RunInterrupted
from tests.faults.programs import trouble
threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    trouble.slowly.run(xs=[0, 1, 2, 3, 4, 5, 6, 7], seconds=0.8)
except RunInterrupted as error:
    print(error)
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    done = bench.script(text)
    assert "`sciflow resume` goes on" in done.stdout, done.stderr
    assert done.stdout.endswith("True\n")


def test_sigint_stops_a_detached_engine_in_order(bench: Bench) -> None:
    run = trouble.patiently.submit(xs=[0, 1, 2, 3])
    assert eventually(lambda: bench.tally.read().total() == 2)
    (engine,) = bench.processes.engines()
    engine.kill(signal.SIGINT)
    time.sleep(0.5)
    assert bench.processes.engines() == [engine], "what runs is let end"
    bench.let_go_on()
    assert eventually(lambda: run.phase == "Suspended")
    assert "interrupted" in run.snapshot().message
    assert bench.processes.gone(3)
    assert len(run.tasks(phase="Succeeded")) == 2
    run.resume()
    assert run.result == [0, 1, 2, 3]
    assert set(bench.tally.read().values()) == {1}


def test_sigterm_ends_a_detached_engine_at_once_and_the_run_can_be_resumed(bench: Bench) -> None:
    run = trouble.patiently.submit(xs=[0, 1, 2, 3])
    assert eventually(lambda: bench.tally.read().total() == 2)
    (engine,) = bench.processes.engines()
    engine.kill(signal.SIGTERM)
    assert bench.processes.gone(10)
    assert run.phase == "Suspended"
    assert "interrupted" in run.snapshot().message
    assert run.tasks(phase="Failed") == run.tasks(phase="Error") == []
    bench.let_go_on()
    run.resume()
    assert run.result == [0, 1, 2, 3]
    assert dict(bench.tally.read()) == {f"patient/{i}": 2 if i < 2 else 1 for i in range(4)}
