"""What is tried again and what not: transient errors, time limits, processes that die."""

from __future__ import annotations

import os
import signal
import sys
import time

from sciflow import FatalError, TransientError, context, op, workflow
from tests.conformance.cases.failures import known
from tests.conformance.table import PATIENCE_S, Case, only, story


@op(backoff_s=0.15, backoff_factor=2.0)
def shaky(x: int) -> int:
    """Odd numbers succeed at the third attempt only."""
    print(f"at {time.time()}")
    if x % 2 and context().attempt < 3:
        raise TransientError(f"attempt {context().attempt} of {x}")
    return x


@workflow
def tried_again(numbers: list[int]) -> list[int]:
    return shaky.options(retries=2, chunk=2).map(x=numbers)


def _waited(run) -> None:  # type: ignore[no-untyped-def]
    times = [float(line[3:]) for line in run.logs("shaky/1", stream="out").splitlines() if line.startswith("at ")]
    assert len(times) == 3
    assert times[1] - times[0] >= 0.15
    assert times[2] - times[1] >= 0.3


transient = Case(
    "a transient error is tried again after a growing wait, and only the slices that failed",
    tried_again,
    inputs={"numbers": [0, 1, 2, 3, 4]},
    result=[0, 1, 2, 3, 4],
    attempts={"shaky/0": 1, "shaky/1": 3, "shaky/2": 1, "shaky/3": 3, "shaky/4": 1},
    check=_waited,
)


@workflow
def tried_too_little(numbers: list[int]) -> list[int]:
    return shaky.options(retries=1, backoff_s=0.0).map(x=numbers)


exhausted = Case(
    "a task fails when its retries are used up",
    tried_too_little,
    inputs={"numbers": [0, 1]},
    phase="Failed",
    failed=("shaky/1",),
    attempts={"shaky/0": 1, "shaky/1": 2},
    report=("shaky/1", "TransientError", "attempt 2 of 1"),
)


class Hiccup(OSError):
    pass


@op(retries=3, backoff_s=0.0, retry_on=[OSError, FatalError])
def raises(kind: str) -> int:
    if kind == "none" or context().attempt > 1:
        return context().attempt
    raise {"hiccup": Hiccup, "value": ValueError, "fatal": FatalError}[kind](kind)


@workflow
def three_errors() -> list[int | None]:
    return known(raises.options(min_success=0).map(kind=["hiccup", "value", "fatal", "none"]))


which_errors = Case(
    "what the user names is tried again, other errors and fatal ones are not",
    three_errors,
    result=[2, None, None, 1],
    attempts={"raises/0": 2, "raises/1": 1, "raises/2": 1, "raises/3": 1},
    failed=("raises/1", "raises/2"),
)


@op
def naps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@workflow
def limited(seconds: list[float]) -> list[float]:
    return naps.options(timeout_s=1).map(seconds=seconds)


def _in_time(run) -> None:  # type: ignore[no-untyped-def]
    assert run.snapshot().seconds < PATIENCE_S
    (error,) = run.errors
    assert error.kind == "timeout"


op_timeout = Case(
    "an op that takes longer than its time limit is ended and fails, no other slice with it",
    limited,
    inputs={"seconds": [0.0, 2 * PATIENCE_S, 0.01, 0.0]},
    phase="Failed",
    phases={"naps/0": "Succeeded", "naps/1": "Failed", "naps/2": "Succeeded", "naps/3": "Succeeded"},
    failed=("naps/1",),
    report=("naps/1", "1 s"),
    check=_in_time,
)


@workflow(timeout_s=1.5)
def limited_as_a_whole(seconds: list[float]) -> float:
    return first(naps.map(seconds=seconds))


@op
def first(numbers: list[float]) -> float:
    return numbers[0]


@story("a run that takes longer than its time limit is ended and fails")
def run_timeout(backend) -> None:  # type: ignore[no-untyped-def]
    run = backend.run(limited_as_a_whole, {"seconds": [0.0, 2 * PATIENCE_S]})
    assert run.phase.value == "Failed"
    assert run.snapshot().seconds < PATIENCE_S
    assert "longer than its time limit" in run.snapshot().message
    assert only(run, "first").phase.value in {"Omitted", "Pending"}  # Pending: what it needs had not even begun


@op(backoff_s=0.0)
def dies(how: str) -> str:
    print(f"about to {how}")
    if context().attempt > 1:
        return "at the second attempt"
    match how:
        case "exit":
            os._exit(7)
        case "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "sys.exit":
            sys.exit(4)
    return "lives"


@workflow
def deaths() -> list[str]:
    return dies.map(how=["live", "exit", "signal", "live"])


def _told_deaths(run) -> None:  # type: ignore[no-untyped-def]
    exited, signalled = (only(run, f"dies/{i}").error for i in (1, 2))
    assert exited.exit_code == 7
    assert signalled.signal == "SIGSEGV"
    assert "about to exit" in run.logs("dies/1")
    assert "SIGSEGV" in run.report()


death = Case(
    "a process that dies ends only the task it was in, in Error, with exit code or signal",
    deaths,
    phase="Failed",
    phases={"dies/0": "Succeeded", "dies/1": "Error", "dies/2": "Error", "dies/3": "Succeeded"},
    failed=("dies/1", "dies/2"),
    report=("exit code 7",),
    check=_told_deaths,
)


@workflow
def survived() -> list[str]:
    return dies.options(retries=1).map(how=["live", "exit", "signal"])


death_retried = Case(
    "a task whose process died is tried again while it has retries",
    survived,
    result=["lives", "at the second attempt", "at the second attempt"],
    attempts={"dies/0": 1, "dies/1": 2, "dies/2": 2},
)
exits = Case(
    "an op that calls sys.exit fails, and the process goes on",
    dies,
    inputs={"how": "sys.exit"},
    phase="Failed",
    failed=("dies",),
    report=("SystemExit", "4"),
)
