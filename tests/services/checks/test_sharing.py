"""A service that a machine has room for only once is shared by the processes that ask for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.services import instances
from tests.services.processes import Processes, ProcessId

ROOT = Path(__file__).parents[3]
ASK = """
import sys
from tests.services import instances
from tests.services.checks.test_sharing import Sleeper
with instances.running(Sleeper()) as pid:
    print(pid, flush=True)
    sys.stdin.read()
"""
HOLD = """
from tests.services import instances
from tests.services.checks.test_sharing import Sleeper
print("asks", flush=True)
print(instances.hold(Sleeper()), flush=True)
"""


class Sleeper:
    name = "sleeper"
    what = "a program that sleeps"

    def missing(self) -> str:
        return ""

    def install(self) -> None: ...

    def start(self, folder: Path) -> int:
        Processes(folder).start("sleep", ["sleep", "1000"])
        return self.found(folder)

    def found(self, folder: Path) -> int:
        sleep = Processes(folder).get("sleep")
        assert sleep is not None
        return sleep.pid

    def stop(self, folder: Path) -> None:
        Processes(folder).end()


@pytest.fixture(autouse=True)
def services_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SCIFLOW_TEST_SERVICES_CACHE", str(tmp_path / "cache"))


def somebody_else() -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", ASK]
    return subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def pid_of(user: subprocess.Popen[str]) -> int:
    assert user.stdout is not None
    return int(user.stdout.readline())


def test_the_first_starts_it_and_the_last_stops_it() -> None:
    with somebody_else() as other:
        pid = pid_of(other)
        with instances.running(Sleeper()) as ours:
            assert ours == pid
            other.communicate("")
            assert ProcessId.of(pid) is not None
    assert ProcessId.of(pid) is None
    assert not instances.kept(Sleeper()).exists()


def test_what_a_killed_process_left_is_nobody_elses() -> None:
    with somebody_else() as other:
        pid = pid_of(other)
        other.kill()
    with instances.running(Sleeper()) as ours:
        assert ours != pid
        assert ProcessId.of(pid) is None


def test_one_that_the_command_line_holds_stays_until_it_is_let_go() -> None:
    pid = instances.hold(Sleeper())
    with instances.running(Sleeper()) as ours:
        assert ours == pid
    assert instances.sweep() == []
    assert instances.hold(Sleeper()) == pid
    assert instances.let_go(Sleeper())
    assert ProcessId.of(pid) is None
    assert not instances.kept(Sleeper()).exists()


def test_one_that_others_use_outlives_that_the_command_line_lets_it_go() -> None:
    with somebody_else() as other:
        pid = pid_of(other)
        assert instances.hold(Sleeper()) == pid
        assert not instances.let_go(Sleeper())
        assert ProcessId.of(pid) is not None
        other.communicate("")
    assert ProcessId.of(pid) is None


def test_the_command_line_waits_while_somebody_starts_it_and_takes_that_one() -> None:
    with instances.changing(Sleeper()):  # as whoever is starting it
        held = subprocess.Popen(
            [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert held.stdout is not None
        assert held.stdout.readline() == "asks\n"
        folder = instances.kept(Sleeper())
        folder.mkdir()
        instances.ourselves().write(folder / "users" / str(os.getpid()))
        pid = Sleeper().start(folder)
    try:
        assert int(held.communicate()[0]) == pid
    finally:
        instances.remove(Sleeper(), folder)
