"""What is asked of engines at work, of those that have died, and of those that do not answer."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sciflow import Run, RunError, list_runs, op, open_run, suspend, text, workflow
from sciflow.core.records import Phase
from sciflow.engine import steering

ROOT = Path(__file__).parents[3]
LIMIT_S = 20.0


@op
def slow(x: int) -> int:
    time.sleep(0.5)
    return x


@op
def same(x: int) -> int:
    return x


@workflow
def waits(x: int) -> int:
    return slow(x)


@workflow
def asks(x: int) -> int:
    return same(suspend("which?", type=int))


@workflow
def asks_beside(x: int) -> list[int]:
    return [same(suspend("which?", type=int)), slow(x)]


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)


def engine_of(run: Run[Any]) -> int:
    until(lambda: run.running and (run.folder / "engine.lock").stat().st_size > 0)
    return int(json.loads((run.folder / "engine.lock").read_text())["pid"])


def test_an_order_that_a_dead_engine_did_not_take_is_not_obeyed_by_the_next(tmp_path: Path) -> None:
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    pid = engine_of(run)
    until(lambda: run.phase is Phase.RUNNING)
    os.kill(pid, signal.SIGSTOP)
    order = run.folder / "control" / f"{time.time_ns():020d}-1.json"
    order.write_text('{"verb": "suspend", "node": "", "value": null}')
    os.kill(pid, signal.SIGKILL)
    until(lambda: not run.running)
    assert run.resume(detach=False) is Phase.SUCCEEDED
    assert not order.exists()


def test_what_happened_to_a_run_is_its_events(tmp_path: Path) -> None:
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    pid = engine_of(run)
    until(lambda: run.phase is Phase.RUNNING)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not run.running)
    run.resume()
    run.cancel()
    until(lambda: not run.running)
    assert run.retry(detach=False) is Phase.SUCCEEDED
    events = run.events()
    assert [event.kind for event in events] == [
        "began",
        "died",
        "began",
        "terminate",
        "ended",
        "retry",
        "began",
        "ended",
    ]
    assert f"session 1, process {pid} on " in events[0].text
    assert events[4].text == "Failed: the run was terminated"
    assert [event.time for event in events] == sorted(event.time for event in events)


def test_a_run_that_was_told_to_suspend_has_heard_it(tmp_path: Path) -> None:
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    engine_of(run)
    run.suspend()
    until(lambda: not list((run.folder / "control").iterdir()))  # at once, but on a machine that is overloaded
    assert run.wait(LIMIT_S) is Phase.SUSPENDED
    assert run.resume(detach=False) is Phase.SUCCEEDED


def test_a_run_that_is_cancelled_while_its_engine_starts_does_not_go_on(tmp_path: Path) -> None:
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    run.cancel()
    assert run.wait(LIMIT_S) is Phase.FAILED
    until(lambda: not run.running)
    assert run.phase is Phase.FAILED
    assert "terminated" in run.snapshot().message


def test_time_and_tasks_of_a_run_stand_still_when_its_engine_is_killed_and_the_run_cancelled(tmp_path: Path) -> None:
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    pid = engine_of(run)
    until(lambda: run.snapshot().steps[0].running == 1 if run.snapshot().steps else False)
    os.kill(pid, signal.SIGKILL)
    until(lambda: run.phase is Phase.ERROR)
    seconds = run.snapshot().seconds
    time.sleep(0.05)
    assert run.snapshot().seconds == seconds
    run.cancel()
    assert run.phase is Phase.FAILED
    assert run.snapshot().steps[0].running == 0


CRASH = """
import os, sys
from sciflow import open_run
from sciflow.engine.records_writer import Writer

commit = Writer.commit
def dies(self):
    if self.told:
        os.kill(os.getpid(), 9)
    commit(self)

def told(self, values):
    Writer.told = True
    put_task(self, values)

put_task = Writer.put_task
Writer.told, Writer.commit, Writer.put_task = False, dies, told
open_run(sys.argv[1]).resume(7, detach=False)
"""


def test_an_answer_is_not_lost_with_an_engine_that_dies_before_it_has_written_it_down(tmp_path: Path) -> None:
    run = asks.options(runs=tmp_path, progress=False).run(1)
    crashed = subprocess.run([sys.executable, "-c", CRASH, str(run.folder)], check=False)
    assert crashed.returncode == -signal.SIGKILL
    assert run.phase is Phase.ERROR
    assert run.resume(detach=False) is Phase.SUCCEEDED
    assert run.result == 7
    assert not list((run.folder / "control").iterdir())


def test_a_resume_without_the_value_that_alone_is_waited_for_is_refused_at_once(tmp_path: Path) -> None:
    run = asks.options(runs=tmp_path, progress=False).run(1)
    with pytest.raises(RunError, match=r'suspend waits for an int\n.*resume\(value, node="suspend"\)'):
        run.resume(detach=False)
    assert run.resume(3, detach=False) is Phase.SUCCEEDED


def test_a_resume_without_a_value_goes_on_with_what_does_not_wait_for_one(tmp_path: Path) -> None:
    run = asks_beside.options(runs=tmp_path, progress=False).submit(1)
    until(lambda: any(task.phase is Phase.SUSPENDED for task in run.tasks()))
    os.kill(engine_of(run), signal.SIGKILL)
    until(lambda: not run.running)
    assert run.resume(detach=False) is Phase.SUSPENDED
    assert [task.phase for task in run.tasks("slow")] == [Phase.SUCCEEDED]


def test_an_engine_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "HEARING_S", 0.6)
    run = waits.options(runs=tmp_path, progress=False).submit(1)
    pid = engine_of(run)
    until(lambda: run.phase is Phase.RUNNING)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RunError, match=f"process {pid} on .* has not taken up `terminate`"):
            run.cancel()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.wait(LIMIT_S) is Phase.SUCCEEDED


SHOWN = """
from tests.unit.engine.test_steering import waits

if __name__ == "__main__":
    waits.options(runs=RUNS, progress=True).run(1)
"""


def test_a_run_goes_on_when_nobody_reads_its_progress_any_more(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = SHOWN.replace("RUNS", repr(str(tmp_path)))
    ended = subprocess.run([sys.executable, "-c", script], stderr=writer, cwd=ROOT, check=False)
    os.close(writer)
    assert ended.returncode == 0
    assert open_run("last", runs=tmp_path).phase is Phase.SUCCEEDED


@op
def named(name: str) -> str:
    return name


@op
def label(x: int) -> str:
    return "same"


@workflow
def two_of_a_key(x: int) -> str:
    name = label(x)
    first = named.options(name="first", key=text("k-{n}", n=name))(name)
    return named.options(name="second", key=text("k-{n}", n=name), after=first)(name)


def test_a_key_that_was_taken_before_a_retry_is_taken_after_it(tmp_path: Path) -> None:
    run = two_of_a_key.options(runs=tmp_path, progress=False).run(1)
    assert run.phase is Phase.FAILED
    assert run.retry() is Phase.FAILED
    assert [(task.path, task.key) for task in run.tasks() if task.key] == [("first", "k-same")]
    assert "is taken by first" in run.errors[0].message


@op
def known(xs: list[int | None]) -> int:
    return sum(1 for x in xs if x is not None)


@workflow
def tolerant(mark: str, xs: list[int]) -> int:
    some = marked.options(min_success=0.5).partial(mark=mark).map(x=xs)
    return last(mark, known(some))


@workflow
def tolerant_of_graphs(mark: str, xs: list[int]) -> int:
    some = marked_inside.options(min_success=0.5).partial(mark=mark).map(x=xs)
    return last(mark, known(some))


@op
def marked(mark: str, x: int) -> int:
    if x == 1 and not Path(mark).exists():
        raise ValueError("no mark")
    return x


@workflow
def marked_inside(mark: str, x: int) -> int:
    return marked(mark, x)


@op
def last(mark: str, n: int) -> int:
    if not Path(mark).exists():
        raise ValueError("no mark")
    return n


@pytest.mark.parametrize(("flow", "fan"), [(tolerant, "marked"), (tolerant_of_graphs, "marked_inside")])
def test_a_retry_leaves_the_failures_that_were_put_up_with(tmp_path: Path, flow: Any, fan: str) -> None:
    mark = tmp_path / "mark"
    run = flow.options(runs=tmp_path / "runs", progress=False).run(str(mark), [0, 1, 2])
    assert run.phase is Phase.FAILED
    mark.touch()
    assert run.retry() is Phase.SUCCEEDED
    assert run.result == 2
    assert run.output(fan) == [0, None, 2]
    assert len([task for task in run.tasks() if task.phase is Phase.FAILED]) == len(fan.split("_"))


def test_a_run_that_was_never_wholly_made_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path))
    run = same.run(1)
    broken = tmp_path / "same-20260101-000000-0000"
    broken.mkdir()
    (broken / "run.db").touch()
    assert {found.id: found.phase for found in list_runs()} == {broken.name: Phase.ERROR, run.id: Phase.SUCCEEDED}


def test_a_run_without_its_empty_folders_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIFLOW_RUNS", str(tmp_path))
    run = asks.run(1)
    for folder in run.folder.iterdir():
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    assert run.resume(3) is Phase.SUCCEEDED


def test_engines_that_have_ended_leave_the_table_of_processes(tmp_path: Path) -> None:
    runs = [waits.options(runs=tmp_path, progress=False).submit(x) for x in range(2)]
    pids = [engine_of(run) for run in runs]
    for run in runs:
        assert run.wait(LIMIT_S) is Phase.SUCCEEDED
    until(lambda: runs[0].phase.ended and not any(Path("/proc", str(pid)).exists() for pid in pids))


def test_a_run_that_goes_on_started_when_it_started(tmp_path: Path) -> None:
    run = asks.options(runs=tmp_path, progress=False).run(1)
    before = run.snapshot()
    run.resume(3, detach=False)
    after = run.snapshot()
    assert after.started == before.started
    assert after.seconds > before.seconds
    assert after.started + after.seconds <= time.time()


def test_a_run_that_is_ended_without_an_engine_has_ended(tmp_path: Path) -> None:
    run = asks.options(runs=tmp_path, progress=False, durable=True).run(1)
    run.cancel()
    assert (run.phase, run.snapshot().message) == (Phase.FAILED, "the run was terminated")
    assert [path.name for path in run.folder.glob("run.db*")] == ["run.db"]


@op
def up_to(x: int) -> list[int]:
    return list(range(x))


@workflow
def doubled(x: int) -> list[int]:
    return same.map(x=up_to(x))


@workflow
def ragged(xs: list[int]) -> list[list[int]]:
    return doubled.map(x=xs)


def test_an_empty_inner_fan_has_a_record_of_its_own(tmp_path: Path) -> None:
    run = ragged.options(runs=tmp_path, progress=False).run([2, 0])
    assert run.result == [[0, 1], []]
    (empty,) = run.tasks("doubled/1/same")
    assert (empty.path, empty.phase) == ("doubled/1/same", Phase.SUCCEEDED)
    assert [task.path for task in run.tasks("doubled/same")] == ["doubled/0/same/0", "doubled/0/same/1", empty.path]


@workflow
def in_a_row(x: int) -> int:
    return same(slow(x))


def test_of_a_run_that_was_stopped_nothing_is_said_to_run_or_to_wait(tmp_path: Path) -> None:
    run = in_a_row.options(runs=tmp_path, progress=False).submit(1)
    until(lambda: any(step.running for step in run.snapshot().steps))
    run.stop()
    assert run.wait(LIMIT_S) is Phase.FAILED
    assert [(task.path, task.phase) for task in run.tasks()] == [("slow", Phase.SUCCEEDED), ("same", Phase.OMITTED)]
    assert [(step.phase, step.running) for step in run.snapshot().steps] == [(Phase.SUCCEEDED, 0), (Phase.OMITTED, 0)]
    assert run.retry(detach=False) is Phase.SUCCEEDED
    assert run.result == 1


def test_of_a_run_that_was_ended_while_no_engine_was_at_work_nothing_waits(tmp_path: Path) -> None:
    run = asks.options(runs=tmp_path, progress=False).submit(1)
    until(lambda: run.phase is Phase.SUSPENDED and not run.running)
    run.cancel()
    assert {task.phase for task in run.tasks()} == {Phase.OMITTED}
    assert {step.phase for step in run.snapshot().steps} == {Phase.OMITTED}


@workflow
def may_fail(path: str) -> int:
    return has(path)


@op
def has(path: str) -> int:
    return len(Path(path).read_text())


def test_the_time_for_which_a_run_had_ended_is_no_part_of_its_time(tmp_path: Path) -> None:
    run = may_fail.options(runs=tmp_path, progress=False).run(str(tmp_path / "text"))
    assert run.phase is Phase.FAILED
    facts_back(run, "started", "ended", seconds=1000.0)
    (tmp_path / "text").write_text("four")
    assert run.retry(detach=False) is Phase.SUCCEEDED
    assert run.snapshot().seconds < 500.0
    assert run.snapshot().started < time.time() - 900.0
    assert "\n    attempt 1: Failed: [Errno 2] No such file" in run.explain("has")


@workflow
def asks_last(x: int) -> list[int]:
    return [slow(x), suspend("which?", type=int)]


def test_an_adopted_run_has_ended_when_its_last_task_has(tmp_path: Path) -> None:
    run = asks_last.options(runs=tmp_path, progress=False).run(1)
    facts_back(run, "started", seconds=1000.0)
    with sqlite3.connect(run.folder / "run.db") as db:
        db.execute("UPDATE task SET started = started - 1000")
        db.execute("INSERT OR REPLACE INTO fact VALUES ('adopted', ?)", (b"-abc",))
    assert run.resume(3, detach=False) is Phase.SUCCEEDED
    assert 0.5 <= run.snapshot().seconds < 500.0


def facts_back(run: Run[Any], *names: str, seconds: float) -> None:
    with sqlite3.connect(run.folder / "run.db") as db:
        for name in names:
            ((value,),) = db.execute("SELECT value FROM fact WHERE name = ?", (name,))
            db.execute("UPDATE fact SET value = ? WHERE name = ?", (str(float(value) - seconds).encode(), name))
