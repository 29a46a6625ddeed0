"""What a full disk here, an engine that leaves, and a file system that is away do to what is with a machine.

A disk is full where something is in the way of what is to be written.
"""

from __future__ import annotations

import json
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sciflow.core.records import Reply
from sciflow.errors import HostError, HostRefused, HostUnreachable
from sciflow.executors.batch.depot import Depot
from sciflow.executors.batch.handover import Submitted
from sciflow.executors.batch.mirror import ERR, OUT, REPLIES, BatchNews, ElementNews, Garbled, Mirror, lines_of
from sciflow.executors.batch.record import BatchRecord, read_all
from sciflow.executors.executor import Ended, Executor, Noticed, Report
from sciflow.executors.registry import make_executor
from sciflow.executors.transports.local import LocalTransport
from sciflow.testing import ExecutorContract
from tests import lockless
from tests.contract.errand import MODULE, errand_in
from tests.faults.harness import NEEDS_LINUX
from tests.unit.executors import flow_of_machine as flow

NAME = "machine"
REPLY = b'[0,7,"Succeeded",1,1.0,0.5,0,0]\n'


class Jobs(ExecutorContract):
    """Of the ops in `sciflow.testing.ops`."""

    __test__ = False
    name = NAME
    module = MODULE


def eventually(holds: Callable[[], object], timeout_s: float = 20.0) -> bool:
    end = time.monotonic() + timeout_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(holds())


class Site:
    """A machine with a folder of its own for runs, and a Python to which something can be made to happen."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.there = folder / "there"
        self.signs = folder / "signs"
        self.signs.mkdir()
        self.python = folder / "python-of-the-site"
        self.before("nothing", "")
        self.table = {
            "type": "batch",
            "system": "shell",
            "work_root": str(self.there),
            "python": str(self.python),
            "look_least_s": 0.05,
            "look_most_s": 0.2,
        }
        monkeypatch.setenv("SCIFLOW_EXECUTORS", json.dumps({NAME: self.table}))
        monkeypatch.setenv("SCIFLOW_EXECUTOR", NAME)
        monkeypatch.setenv("SCIFLOW_RUNS", str(folder / "runs"))
        monkeypatch.setenv("SCIFLOW_PROGRESS", "false")

    def before(self, verb: str, commands: str) -> None:
        """Has a shell do something once, before the runner does what it is asked for."""
        once = f"if mkdir {self.signs}/{verb} 2> /dev/null; then {commands or ':'}; fi"
        self.python.write_text(f'#!/bin/sh\ncase "$*" in *"host {verb}"*) {once};; esac\nexec {sys.executable} "$@"\n')
        self.python.chmod(0o755)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run folder."""
    made = tmp_path / "runs" / "one"
    made.mkdir(parents=True)
    return made


@pytest.fixture(params=["batch", "futures"])
def executor(request: pytest.FixtureRequest, site: Site, root: Path) -> Iterator[Executor]:
    pool = {"type": "futures", "factory": "concurrent.futures:ThreadPoolExecutor", "arguments": {"max_workers": 1}}
    tables: dict[str, dict[str, Any]] = {"batch": site.table, "futures": pool}
    with closing(make_executor(NAME, {NAME: tables[request.param]}, errand_in(root))) as made:
        yield made


def turn(executor: Executor) -> Sequence[Report]:
    """What is told within a moment."""
    watch = executor.watch()
    select.select(watch.read, watch.write, [], min(0.1, watch.seconds or 0.1))
    return executor.poll()


def until(executor: Executor, enough: Callable[[list[Report]], object]) -> list[Report]:
    found: list[Report] = []
    limit = time.monotonic() + 20
    while not enough(found):
        assert time.monotonic() < limit, found
        found += turn(executor)
    return found


def stages(root: Path) -> list[str]:
    return [record.stage.value for record in read_all(root)]


# --- a full disk here


def test_what_was_said_is_not_lost_when_there_is_no_room_for_a_log_that_came_with_it(root: Path) -> None:
    record = BatchRecord(name="b", executor=NAME, elements=((), ()))
    (root / "logs" / "b-1.out").mkdir(parents=True)
    parts = (REPLIES, 0, len(REPLY)), (OUT, 0, 2), (ERR, 0, 0)
    news = BatchNews(dir="", elements={str(k): ElementNews(sections=parts) for k in range(2)})
    body, mirror = memoryview((REPLY + b"o\n") * 2), Mirror(root, here=False)
    (root / "values").mkdir()
    with pytest.raises(IsADirectoryError):
        mirror.take(record, news, body)
    (root / "logs" / "b-1.out").rmdir()
    told, used = mirror.take(record, news, body)
    assert used == len(body)
    assert [(k, len(lines)) for k, lines in told] == [(0, 1), (1, 1)]
    assert (root / "logs" / "b-1.out").read_text() == "o\n"


def test_a_submission_that_cannot_be_written_down_waits_and_is_made_once_there_is_room(
    executor: Executor, root: Path
) -> None:
    (root / "batches").touch()
    executor.submit(Jobs().job("double", [1, 2]))
    found = until(executor, lambda found: any(isinstance(report, Noticed) and report.text for report in found))
    assert "batches" in str(found)
    (root / "batches").unlink()
    until(executor, lambda found: sum(isinstance(report, Ended) for report in found) == 2)
    assert len(stages(root)) == 1


def test_an_end_that_cannot_be_written_down_is_written_once_there_is_room(executor: Executor, root: Path) -> None:
    executor.submit(Jobs().job("double", [1]))
    until(executor, lambda _: stages(root) not in ([], ["packed"]))
    assert eventually(lambda: stages(root) == ["over" if executor.outlives else "sent"])  # all of it is there
    (record,) = (root / "batches").glob("*/record.json")
    beside = record.with_name("record.json.new")
    beside.mkdir()
    found = until(executor, lambda found: any(isinstance(report, Ended) for report in found))
    for _ in range(5):
        found += turn(executor)
    assert [type(report) for report in found if not isinstance(report, Noticed)] == [Ended]
    beside.rmdir()
    until(executor, lambda _: stages(root) == ["ended"])


def test_a_submission_comes_to_its_end_without_the_records_of_others_being_read(executor: Executor, root: Path) -> None:
    (root / "batches" / "other").mkdir(parents=True)
    (root / "batches" / "other" / "record.json").write_text("no record")
    executor.submit(Jobs().job("double", [1]))
    until(executor, lambda found: any(isinstance(report, Ended) for report in found))


# --- an engine that leaves


def test_what_is_still_being_sent_when_the_engine_leaves_is_not_submitted_any_more(site: Site, root: Path) -> None:
    go = site.folder / "go"
    site.before("unpack", f"touch {site.folder}/sending; while [ ! -e {go} ]; do sleep 0.05; done")
    executor = make_executor(NAME, {NAME: site.table}, errand_in(root))
    couriers = [thread for thread in threading.enumerate() if thread.name.startswith("courier")]
    executor.submit(Jobs().job("double", [1]))
    until(executor, lambda _: (site.folder / "sending").exists())
    executor.close()
    go.touch()
    assert eventually(lambda: not any(thread.is_alive() for thread in couriers))
    assert stages(root) == ["packed"]
    assert not list(site.there.glob("runs/*/batches/*/submitting"))


def test_what_another_engine_has_kept_from_being_submitted_is_submitted_anew(site: Site) -> None:
    never = '{"code": 0, "stdout": "", "stderr": "", "never": true}'
    site.before("submit", f"for batch in {site.there}/runs/*/batches/*; do echo '{never}' > $batch/submitting; done")
    run = flow.squares.submit([1, 2])
    assert run.wait(timeout_s=20) == "Succeeded"
    assert run.result == [1, 4]


# --- settings that will not do there


@pytest.mark.parametrize("wrong", ["no python", "no program", "an old python", "no folder"])
def test_tasks_for_a_machine_that_was_never_as_it_must_be_fail_and_can_be_retried_when_it_is(
    site: Site, wrong: str
) -> None:
    right = site.python.read_text()
    old = f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; sys.version_info = (3, 8, 1)\n$@"\n'
    if wrong == "no python":
        site.python.unlink()
        told = "python-of-the-site: No such file or directory"
    elif wrong == "no program":
        site.python.write_text("#!/bin/sh\nexec no-such-python\n")
        told = "no-such-python: not found"
    elif wrong == "an old python":
        site.python.write_text(old)
        told = "is Python 3.8.1; sciflow's runner needs 3.9 or newer"
    else:
        site.there.touch()
        told = f"work_root {site.there} cannot be used: {site.there}"
    run = flow.squares.submit([1, 2])
    assert run.wait(timeout_s=20) == "Failed"
    failed = run.failed_tasks()
    assert [(task.phase, task.attempt, task.error and task.error.type) for task in failed] == [
        ("Error", 1, "sciflow:EnvironmentBroken")
    ] * 2
    assert told in run.report()
    if wrong == "no folder":
        site.there.unlink()
    site.python.write_text(right)
    site.python.chmod(0o755)
    run.retry()
    assert run.wait(timeout_s=20) == "Succeeded"
    assert run.result == [1, 4]


def test_a_python_that_is_away_while_jobs_are_there_is_waited_for(site: Site) -> None:
    away = site.folder / "away"
    site.before("submit", f"mv {site.python} {away}")
    run = flow.squares.submit([1, 2])
    assert eventually(lambda: "python-of-the-site could not make" in run.snapshot().message), run.snapshot().message
    assert run.phase == "Running"
    away.rename(site.python)
    assert run.wait(timeout_s=20) == "Succeeded"
    assert run.result == [1, 4]


# --- a file system without locks


@NEEDS_LINUX
def test_a_machine_whose_file_system_has_no_locks_refuses_a_submission_and_says_what_to_do(site: Site) -> None:
    site.python.write_text(f'#!/bin/sh\nexec {sys.executable} {lockless.__file__} {sys.executable} "$@"\n')
    run = flow.squares.submit([1, 2])
    assert run.wait(timeout_s=20) == "Failed"
    assert [task.phase for task in run.failed_tasks()] == ["Error"] * 2
    assert f"{site.there}: its file system has no locks" in run.report()
    assert "set `work_root` of the executor to a folder on another file system" in run.report()


# --- what is no text


def test_a_line_that_is_no_text_is_damaged_and_those_around_it_are_not() -> None:
    lines = lines_of(REPLY + b'[0,7,"\xff",1,1.0,0.5,0,0]\n' + REPLY)
    assert [type(line) for line in lines] == [Reply, Garbled, Reply]


def test_an_answer_that_is_no_text_is_told_as_what_cannot_be_read(site: Site) -> None:
    site.python.write_text('#!/bin/sh\nprintf \'{"root": "\\377"}\'\n')
    depot = Depot(LocalTransport(), work_root=str(site.there), python=str(site.python))
    with pytest.raises(HostUnreachable, match="what submit answers cannot be read"):
        depot.read("submit", b'{"stdout": "\xff"}', Submitted)
    with pytest.raises(HostRefused, match="must print nothing of its own"):
        depot.prepare()


# --- a file system that is away


def test_a_run_waits_for_a_file_of_its_result_while_the_file_system_there_is_away(site: Site) -> None:
    away = site.folder / "away"
    site.before("pack", f"mv {site.there} {away}")
    run = flow.leave.submit(3)
    assert eventually(lambda: "is its file system mounted?" in run.snapshot().message or run.phase == "Succeeded")
    assert run.phase == "Running"
    away.rename(site.there)
    assert run.wait(timeout_s=20) == "Succeeded"
    assert run.result.read_text() == "xxx"


def test_files_are_not_taken_for_gone_while_the_file_system_there_is_away(site: Site) -> None:
    run = flow.measured_once.run(3)
    assert run.result == 3
    site.there.rename(site.folder / "away")
    with pytest.raises(HostError, match=r"is its file system mounted\?"):
        run.output("leave")
    (site.folder / "away").rename(site.there)
    assert run.output("leave").read_text() == "xxx"


def test_a_run_whose_result_lacks_a_file_says_so(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.before("pack", f"find {site.there}/runs -name made.txt -delete")
    run = flow.leave.run(3)
    assert run.phase == "Succeeded"
    assert "the run's result has no file: " in capfd.readouterr().err
