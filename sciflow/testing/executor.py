"""What every executor must do.

A task that did not end by itself is reported as `Died`, or, where something at the place itself has seen its end, as
`Ended` with an error that says the same; what was to come after it in its job is given back, or was run there.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from sciflow.core.graph import Function, OpTemplate, Policy, Resources
from sciflow.core.job import Job, Need, job_of, position_of
from sciflow.core.ports import ANY, Port, Type
from sciflow.core.records import TaskError
from sciflow.executors.executor import Died, Ended, Executor, Lost, Report

PATIENCE_S = 60.0
INT = Type(name="int")


class ExecutorContract:
    """Asks for the fixture `executor`, and for jobs of the ops in `sciflow.testing.ops`."""

    name = "local"
    module = "sciflow.testing.ops"  # or a copy of it, at places to which nothing of sciflow but the runner comes

    def job(self, op: str, numbers: Sequence[int], *, id_: int = 1, timeout_s: float | None = None) -> Job:
        """A job that calls an op of `sciflow.testing.ops` with each of the numbers."""
        template = OpTemplate(
            name=op,
            inputs=(Port(name="x", type=INT),),
            output=ANY,
            code=Function(module=self.module, qualname=op),
        )
        return Job(
            id=id_,
            node=id_,
            path=f"{op}-{id_}",
            template=template,
            policy=Policy(timeout_s=timeout_s),
            need=Need(executor=self.name, resources=Resources(), env=()),
            fixed=b"{}",
            columns=("x",),
            slices=range(len(numbers)),
            attempts=[1] * len(numbers),
            elements=[[b"%d" % number] for number in numbers],
            keys=[None] * len(numbers),
            seed=0,
        )

    def test_each_task_of_a_job_is_reported_once_with_its_output(self, executor: Executor) -> None:
        executor.submit(self.job("double", range(50)))
        reports = drain(executor, lambda found: len(ended(found)) == 50)
        outputs = {position_of(e.reply.number): bytes(e.reply.output) for e in ended(reports)}
        assert outputs == {n: b"%d" % (2 * n) for n in range(50)}

    def test_a_task_that_fails_leaves_its_neighbours_alone(self, executor: Executor) -> None:
        executor.submit(self.job("refuse_three", range(6)))
        found = ended(drain(executor, lambda found: len(ended(found)) == 6))
        failed = [e.reply for e in found if e.reply.phase == "Failed"]
        assert [position_of(reply.number) for reply in failed] == [3]
        assert failed[0].extra is not None
        assert failed[0].extra.error is not None
        assert failed[0].extra.error.type == "builtins:ValueError"

    def test_a_process_that_dies_takes_down_the_task_it_was_in_and_no_other(self, executor: Executor) -> None:
        executor.submit(self.job("leave_at_two", range(5)))
        found = drain(executor, lambda found: len(numbers(found)) == 5)
        ((number, error),) = deaths(found)
        assert position_of(number) == 2
        assert (error.kind, error.exit_code) == ("died", 7)
        assert sorted(map(position_of, numbers(found))) == [0, 1, 2, 3, 4]

    def test_a_task_over_its_time_limit_is_ended(self, executor: Executor) -> None:
        executor.submit(self.job("sleep", [60], timeout_s=0.3))
        ((_, error),) = deaths(drain(executor, bool))
        assert error.kind == "timeout"

    def test_a_cancelled_job_is_ended_with_the_reason_given(self, executor: Executor) -> None:
        executor.submit(self.job("sleep", [60], id_=1))
        time.sleep(0.5)
        executor.cancel([1], TaskError(kind="cancelled", message="enough"))
        (report,) = drain(executor, bool)
        assert isinstance(report, Died | Lost)
        if isinstance(report, Died):
            assert report.error.message == "enough"

    def test_an_executor_at_its_limit_offers_nothing_and_then_something_again(self, executor: Executor) -> None:
        need = self.job("double", [1]).need
        drain(executor, lambda _: executor.offer(need, "sleep", remaining=1000).slices > 0)  # one may have to ask first
        count = 0
        while executor.offer(need, "sleep", remaining=1000).slices and count < 1000:
            count += 1
            executor.submit(self.job("sleep", [0], id_=count))
        assert 0 < count < 1000
        drain(executor, lambda found: len(ended(found)) == count)
        drain(executor, lambda _: executor.offer(need, "sleep", remaining=1).slices > 0)  # when the places are free


def ended(reports: Sequence[Report]) -> list[Ended]:
    """The tasks that ended by themselves."""
    return [report for report in reports if isinstance(report, Ended)]


def deaths(reports: Sequence[Report]) -> list[tuple[int, TaskError]]:
    """Numbers and errors of tasks that did not end by themselves."""
    found = [(report.number, report.error) for report in reports if isinstance(report, Died)]
    said = [report.reply for report in ended(reports) if report.reply.extra is not None]
    return found + [
        (reply.number, reply.extra.error)
        for reply in said
        if reply.extra is not None and reply.extra.error is not None and reply.extra.error.kind in ("died", "timeout")
    ]


def numbers(reports: Sequence[Report]) -> list[int]:
    """The tasks that were spoken of, lost ones too."""
    lost = [number for report in reports if isinstance(report, Lost) for number in report.numbers]
    died = [report.number for report in reports if isinstance(report, Died)]
    return [report.reply.number for report in ended(reports)] + died + lost


def drain(executor: Executor, enough: Callable[[list[Report]], bool]) -> list[Report]:
    """What an executor reports until that is enough; what only tells about code is left out."""
    found: list[Report] = []
    until = time.monotonic() + PATIENCE_S
    while not enough(found):
        assert time.monotonic() < until, f"the executor reported no more than {found}"
        watch = executor.watch()
        seconds = 0.2 if watch.seconds is None else min(0.2, watch.seconds)
        select.select(watch.read, watch.write, [], seconds)
        found += [report for report in executor.poll() if isinstance(report, Ended | Died | Lost)]
    assert all(job_of(e.reply.number) >= 1 for e in ended(found))
    return found
