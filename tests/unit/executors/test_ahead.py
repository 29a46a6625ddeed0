"""A worker that starts ahead of its run: taken where it fits, ended where nobody takes it."""

import os
from pathlib import Path

import pytest

from sciflow import InvalidWorkflow, op, workflow
from sciflow.executors.ahead import take_ahead, worker_ahead
from sciflow.executors.spawned import worker_environ


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@op
def environment(name: str) -> str:
    return os.environ[name]


@workflow
def of_a_large_task(name: str) -> str:
    return environment.options(cpus=2)(name)


@workflow
def broken(x: int) -> int:
    return environment(y=x)  # type: ignore[call-arg, return-value]


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_whoever_wants_just_such_a_worker_takes_it_and_no_second_one() -> None:
    with worker_ahead():
        taken = take_ahead(worker_environ())
        assert taken is not None
        assert take_ahead(worker_environ()) is None
    assert not ended(taken.pid)
    taken.end()
    assert ended(taken.pid)


def test_one_with_another_environment_is_not_taken_and_ends_with_the_run() -> None:
    before = children()
    with worker_ahead():
        assert take_ahead(worker_environ(2)) is None
        assert len(children() - before) == 1
    assert children() == before


def test_outside_a_run_there_is_none() -> None:
    assert take_ahead(worker_environ()) is None


def test_a_task_gets_its_own_number_of_threads_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run = of_a_large_task.options(runs=str(tmp_path), workers=2, progress=False).run("OMP_NUM_THREADS")
    assert run.result == "2"


def test_a_run_that_is_refused_leaves_no_process(tmp_path: Path) -> None:
    before = children()
    with pytest.raises(InvalidWorkflow):
        broken.options(runs=str(tmp_path)).run(x=1)
    assert children() == before
